"""A Dask cluster of two worker processes measures, and one of them is killed on the way."""

import csv
import os
import signal
import threading
import time

import pytest

import toykit as tk
from tests.exploration import nets
from tests.nightly import nightly
from toykit.exploration import running

FEW = [
    {"technique": "quantize", "bits": 8},
    *({"technique": "palettize", "bits": bits} for bits in (6, 4, 3, 2)),
]


@nightly
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_nightly_a_worker_is_killed_and_the_recipe_is_the_same(tmp_path):
    distributed = pytest.importorskip("distributed")
    model = nets.chain(tmp_path / "Model.mlpackage", (48, *[64] * 10))
    alone = tk.explore(model, out=tmp_path / "alone", at_least=20, settings=FEW)
    path = tmp_path / "cluster/measurements.csv"

    def kill(process):
        while not path.exists() or path.read_bytes().count(b"\n") < 3:
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)

    with distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            processes = list(client.run(os.getpid).values())
        killer = threading.Thread(target=kill, args=processes[:1])
        killer.start()
        found = tk.explore(
            model, out=tmp_path / "cluster", at_least=20, settings=FEW, scheduler=cluster.scheduler_address
        )
        killer.join()
    assert len(set(processes)) == 2 and found.met
    assert found.recipe == alone.recipe and found.measured == alone.measured
    with path.open(newline="") as file:
        keys = [row["key"] for row in csv.DictReader(file)]
    assert len(set(keys)) == len(keys) == found.measured


@nightly
def test_nightly_a_scheduler_that_is_lost_is_one_sentence(capfd, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(running, "_PATIENCE", 2)
    with distributed.LocalCluster(1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        results = running.run(time.sleep, [0.2] * 9, scheduler=cluster.scheduler_address)
        next(results)
        capfd.readouterr()
        cluster.close()
        with pytest.raises(ConnectionError, match=r"is gone\. What was measured is kept"):
            list(results)
    assert "Traceback" not in capfd.readouterr().err
