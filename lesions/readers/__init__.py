"""Lesions and volumes from files: DeepLesion, NIfTI, DICOM."""
