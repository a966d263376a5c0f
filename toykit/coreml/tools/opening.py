"""Let coremltools open a package, without letting it near the files of the package.

coremltools 9 writes `Manifest.json` anew when it opens a package, and on a full disk it leaves what it
had begun inside the folder. So it is given a folder of its own, with a copy of the manifest and links to
everything else: a few kB, whatever the weights take.
"""

import shutil
import tempfile
import weakref
from pathlib import Path

from ..._quiet import coremltools, working
from ..format.package import open_package


def open_mlmodel(package):
    """coremltools' model of a package, which is not loaded for prediction.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was, to the byte and the name.

    Returns
    -------
    coremltools.models.MLModel
        Its `package_path` is the folder of links, which goes when the model goes.
    """
    ct = coremltools()
    package = open_package(package)
    folder = Path(tempfile.mkdtemp(prefix="toykit-open-"))
    try:
        view = _view(package.path, folder / "model.mlpackage")
        with working():
            mlmodel = ct.models.MLModel(str(view), skip_model_load=True)
    except BaseException:
        shutil.rmtree(folder)
        raise
    weakref.finalize(mlmodel, shutil.rmtree, folder, ignore_errors=True)
    mlmodel.opened_from = package  # what the links lead to may itself go with its owner
    return mlmodel


def _view(path, view):
    view.mkdir()
    for entry in path.iterdir():
        if entry.name == "Manifest.json":
            shutil.copyfile(entry, view / entry.name)
        else:
            (view / entry.name).symlink_to(entry.resolve())
    return view
