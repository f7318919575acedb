"""DICOM data sets from bytes and back."""

import io

import pydicom
from pydicom.dataset import Dataset


def dataset_of(whole: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(whole), force=True)


def bytes_of(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
