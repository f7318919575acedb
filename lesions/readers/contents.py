"""What a file is by its first bytes, whatever its name says; what is read, and how to convert."""

from lesions.errors import InputError

HEAD = 352  # bytes that tell it
READ = (
    "NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd), NRRD (.nrrd, .nhdr), DICOM (a file, .dcm.gz, a "
    "folder or a .zip of one series)"
)
CONVERT = (
    "what else SimpleITK or 3D Slicer opens they convert: "
    "SimpleITK.WriteImage(SimpleITK.ReadImage(FILE), 'ct.nii.gz')"
)
_NAMED = "name it so that it ends in "
_ELSE = f"read are {READ}; {CONVERT}"
# Where it begins, with what, what it is, and what to do about it.
_KINDS = (
    (128, b"DICM", "a DICOM file", f"{_NAMED}.dcm"),
    (344, b"n+1\0", "a NIfTI file", f"{_NAMED}.nii"),
    (4, b"n+2\0", "a NIfTI file", f"{_NAMED}.nii"),
    (344, b"ni1\0", "the header of a NIfTI pair", "join .hdr and .img, as nibabel.load does"),
    (0, b"NRRD000", "an NRRD file", f"{_NAMED}.nrrd"),
    (0, b"ObjectType", "a MetaImage file", f"{_NAMED}.mha"),
    (0, b"NDims", "a MetaImage file", f"{_NAMED}.mha"),
    (4, b"ni2\0", "the header of a NIfTI pair", "join .hdr and .img, as nibabel.load does"),
    (0, b"\x1f\x8b", "compressed by gzip", f"{_NAMED}.nii.gz or .dcm.gz, or unpack it"),
    (0, b"PK\3\4", "a zip archive", f"{_NAMED}.zip if it holds DICOM, or unpack it"),
    (0, b"\x89PNG", "a PNG picture", f"a 16-bit PNG of HU + 32768 is for predict's --image, and "
     f"{_NAMED}.png; else take the CT itself: {_ELSE}"),
    (0, b"\xff\xd8\xff", "a JPEG picture", f"take the CT itself: {_ELSE}"),
    (0, b"II*\0", "a TIFF picture", _ELSE),
    (0, b"MM\0*", "a TIFF picture", _ELSE),
    (0, b"\x93NUMPY", "a NumPy array, which says no voxel size", _ELSE),
    (0, b"\x89HDF", "an HDF5 file", _ELSE),
    (0, b"BZh", "compressed by bzip2", "unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (0, b"Rar!", "a RAR archive", "unpack it"),
    (0, b"\xfd7zXZ", "compressed by xz", "unpack it"),
    (257, b"ustar", "a tar archive", "unpack it"),
    (0, b"%PDF", "a PDF", _ELSE),
    (0, b"<!", "a web page or XML, as a failed download leaves it", "download it again"),
    (0, b"<html", "a web page, as a failed download leaves it", "download it again"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
    (0, b"\x5c\1\0\0", "an Analyze header, which says no orientation", _ELSE),
)  # fmt: skip


def unlike(head: bytes, wanted: str) -> InputError:
    """Why a file is not what its name says, in plain words.

    Args:
        head: its first `HEAD` bytes.
        wanted: what it should be, as "NIfTI".
    """
    what, remedy = "nothing that is known by its first bytes", _ELSE
    if not head:
        what, remedy = "empty", "copy or download it again"
    for at, magic, kind, advice in _KINDS:
        if head[at:].startswith(magic):
            what, remedy = kind, advice
            break
    return InputError(f"no readable {wanted}: it is {what}", remedy=remedy)
