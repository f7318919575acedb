"""What the house asks of every system, as a test class: for systems kept elsewhere, too.

    from trainables.contract import SystemContract

    class TestMine(SystemContract):
        system = MySystem()

Pytest runs it like any test class; `pytest.register_assert_rewrite("trainables.contract")` before
the import makes it say more where it fails.
"""

from trainables.contract.answers import Answers
from trainables.contract.learns import Learns
from trainables.contract.says import Says


class SystemContract(Says, Answers, Learns):
    """All that is asked; what a subclass may say is in `trainables.contract.asked`."""
