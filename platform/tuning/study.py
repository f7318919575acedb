"""The Optuna study that a sweep's trials are told to: the truth of what is finished.

It lies beside the sweep as Optuna's journal, or in a database that `--study` names. A journal that
a kill or a full disk cut off is mended by its whole lines, and by the trials' own folders: each
says what the trial is, and how it ended, before the study is told.
"""

import json
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from dashboards.recorded.credentials import told
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import write_text
from lesions.readers.bounded import read_bytes
from platform.tracking.database import driver_missing, patience
from trainables.trial_folder import END, TRIAL, TrialFolder

JOURNAL, OWNER, TRIALS = "study.log", "study.id", "trials"
NUMBER, REASON, OF_SWEEP = "lesion.trial", "lesion.reason", "lesion.sweep_id"  # user attributes
WAIT_S = 10  # for a journal's lock that a killed process left
_MOST_JOURNAL = 4 << 30
FAULTS = (SQLAlchemyError, StorageInternalError, OSError)  # of a study's storage


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a study is.

    Attributes:
        folder: the sweep's.
        name: the study's: the sweep's.
        url: of a database; None is the journal in the folder.
    """

    folder: Path
    name: str
    url: str | None = None

    @property
    def words(self) -> str:
        """For people, and for `optuna-dashboard`."""
        return self.url or str(self.folder / JOURNAL)

    def trial_folder(self, number: int) -> TrialFolder:
        """Of the trial with the sweep's number."""
        return TrialFolder(self.folder / TRIALS / f"{number:04d}")


def check_url(url: str) -> None:
    """InputError for a study's address that cannot be used, or holds a password."""
    parts = urlsplit(url)
    if parts.password or any("password" in name.lower() for name, _ in parse_qsl(parts.query)):
        raise InputError(
            "--study holds a password, which would be written down",
            remedy="leave it out: databases take it from their own variables, as PGPASSWORD",
        )
    if not parts.scheme or "://" not in url:
        raise InputError(
            f"--study {url!r} is no address of a database",
            remedy="as postgresql://user@host/name, or sqlite:////folder/file.db",
        )


def open_study(place: Place, directions: Sequence[str], names: Sequence[str]) -> optuna.Study:
    """The study of a sweep, made if need be, and mended by the trials' folders.

    Args:
        place: where it is.
        directions: "maximize" or "minimize", one an objective.
        names: of the objectives, for its pages.

    Raises:
        InputError: it is another sweep's, or its storage is away or damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if place.url is None:
            _mend_journal(place.folder / JOURNAL)
        study = optuna.create_study(
            storage=_storage(place), study_name=place.name, directions=list(directions),
            load_if_exists=True,
        )  # fmt: skip
        _claim(study, place)
        if study.metric_names is None:
            with warnings.catch_warnings():  # Optuna calls it experimental
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names(list(names))
        _put_back(study, place)
    except FAULTS as error:
        raise unreachable(place, error) from None
    return study


def read_study(place: Place) -> optuna.Study:
    """Another sweep's study, to be read alone; InputError where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if place.url is None and not (place.folder / JOURNAL).exists():
        raise InputError("the sweep has no study", file=place.folder)
    try:
        return optuna.load_study(study_name=place.name, storage=_storage(place))
    except (KeyError, ValueError, *FAULTS) as error:
        raise unreachable(place, error) from None


def unreachable(place: Place, error: BaseException) -> InputError:
    """What is said of a study's storage that does not take what it is told."""
    return InputError(
        # Optuna's own word for a database's error is the same for all of them.
        f"the study in {place.words} cannot be read or written: {told(error.__cause__ or error)}",
        file=place.folder,
        remedy=f"make room or start it; then --resume {place.name}: every epoch that has ended "
        "is kept in the trials' folders",
    )  # fmt: skip


def _storage(place: Place) -> BaseStorage:
    if place.url is not None:
        try:
            engine = {"pool_pre_ping": True, "connect_args": patience(place.url)}
            return RDBStorage(place.url, engine_kwargs=engine)
        except ImportError as error:
            cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
            raise driver_missing(f"the study's database {place.url}", cause) from None
    file = str(place.folder / JOURNAL)
    return JournalStorage(JournalFileBackend(file, JournalFileSymlinkLock(file, WAIT_S)))


def _claim(study: optuna.Study, place: Place) -> None:
    """A database holds the studies of many: one of the same name may be another sweep's."""
    note = place.folder / OWNER
    ours = note.read_text() if note.exists() else ""
    owner = study.user_attrs.get(OF_SWEEP)
    if owner is None:
        owner = ours or secrets.token_hex(8)
        study.set_user_attr(OF_SWEEP, owner)
    elif place.url is not None and owner != ours:
        raise InputError(
            f"there is a study {place.name!r} of another sweep in {place.words}",
            remedy="choose another --name",
        )
    if owner != ours:
        write_text(note, owner)


def _mend_journal(path: Path) -> None:
    """Take away what follows the last whole line; of more than a line a copy is kept."""
    try:
        content = read_bytes(path, _MOST_JOURNAL)
    except FileNotFoundError:
        return
    whole = _whole_lines(content)
    if len(whole) == len(content):
        return
    rest = content[len(whole) :]
    beside = ""
    if rest.rstrip(b"\n").count(b"\n"):
        aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
        aside.write_bytes(content)
        beside = f"; as it was, it is {aside.name}"
    write_text(path, whole.decode())
    say(f"the sweep's study was cut off: {len(rest)} bytes of {path} could not be read and are "
        f"left out{beside}; the trials' own folders tell the rest")  # fmt: skip


def _whole_lines(content: bytes) -> bytes:
    """The lines before the first that is none of Optuna's journal."""
    end = 0
    for line in content.splitlines(keepends=True):
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            record = None
        if not isinstance(record, dict) or "op_code" not in record:
            break
        end += len(line)
    return content[:end]


def _put_back(study: optuna.Study, place: Place) -> None:
    """Tell the study of trials that it lost, or of ends that it was not told."""
    known = latest(study.get_trials(deepcopy=False))
    for path in sorted((place.folder / TRIALS).glob("[0-9]*")):
        if not path.name.isdigit():
            continue
        number, folder = int(path.name), TrialFolder(path)
        end, was = folder.read(END), folder.read(TRIAL)
        if number not in known and was is not None:
            study.add_trial(_as_it_was(number, was, end))
        elif number in known and end is not None and not known[number].state.is_finished():
            tell(study, known[number].number, end)


def _as_it_was(number: int, was: Mapping[str, Any], end: Mapping[str, Any] | None) -> FrozenTrial:
    state = TrialState.RUNNING if end is None else TrialState[end["state"]]
    values = None if end is None or state != TrialState.COMPLETE else end["values"]
    end = end or {}
    return create_trial(
        state=state, values=values, params=dict(was["values"]),
        distributions=read_distributions(was["distributions"]),
        user_attrs={NUMBER: number} | ({REASON: end["reason"]} if end.get("reason") else {}),
        intermediate_values={int(step): x for step, x in end.get("curve", {}).items()},
        constraints=end.get("constraints") or None,
    )  # fmt: skip


def tell(study: optuna.Study, number: int, end: Mapping[str, Any]) -> None:
    """Close one of Optuna's trials as a trial's `end.json` says."""
    state = TrialState[end["state"]]
    asked = optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
    if end.get("reason"):
        asked.set_user_attr(REASON, end["reason"])
    for name, excess in end.get("constraints", {}).items():
        asked.set_constraint(name, excess)
    values = end["values"] if state == TrialState.COMPLETE else None
    study.tell(number, values=values, state=state, skip_if_finished=True)


def latest(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
    """The sweep's trials by number: of one that was tried again after it had failed, the last."""
    numbered = [trial for trial in trials if NUMBER in trial.user_attrs]
    return {int(trial.user_attrs[NUMBER]): trial for trial in numbered}


def said_distributions(found: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """As JSON holds them."""
    return {name: distribution_to_json(one) for name, one in found.items()}


def read_distributions(said: Mapping[str, str]) -> dict[str, BaseDistribution]:
    """From `said_distributions`."""
    return {name: json_to_distribution(one) for name, one in said.items()}
