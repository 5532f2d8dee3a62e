"""Workers that die, hang, stall or must stop: every accepted task still ends exactly once."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from tests.client import new_task
from tests.faults.ledger import files, logged, runs, started, worker_of
from tests.harness import wait_for
from tests.programs import ends


async def test_killed(server, ledger, tmp_path):
    """A task whose worker is killed is run again by another once the lease is over, and answered once."""
    server.start_all(workers=2, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        server.kill(worker_of(server, first))
        assert ends(first), "the task process outlived its worker"
        await ledger.follow(client)
        await ledger.check(client)
    assert len(await started(tmp_path / "marker", 2)) == 2
    assert runs(server).total() == 1


async def test_task_process_killed(server, ledger, tmp_path):
    """A task whose process is killed is run again at once by the same worker."""
    server.start_all(workers=1, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        worker = worker_of(server, first)
        psutil.Process(first).kill()
        await ledger.follow(client)
        await ledger.check(client)
    (_, second) = await started(tmp_path / "marker", 2)
    assert worker_of(server, second) is worker


@pytest.mark.settings(LEASE="1s")
async def test_poison(server, ledger):
    """A task that kills its worker each time is given up after its attempts; all others are done."""
    server.start_all(workers=3, sweepers=0)
    async with server.client() as client:
        (poison,) = ledger.new(1, "exits", how="kill worker")
        await client.send([poison, *ledger.new(20)])
        await ledger.follow(client)
        await client.send(ledger.new(5))
        await ledger.follow(client)
        await ledger.check(client, "processingFailed")
    assert sum("processingFailed" in answers[0] for answers in ledger.answers.values()) == 1
    assert sum(process.poll() == -signal.SIGKILL for process in server.processes) == 2


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_poison_for_its_process(server, ledger, how):
    """A task that ends its process each time is given up after its attempts, and the worker serves on."""
    server.start_all(workers=1, sweepers=0)
    async with server.client() as client:
        await client.send([*ledger.new(1, "exits", how=how), *ledger.new(5)])
        await ledger.follow(client)
        await ledger.check(client, "processingFailed")
    assert len(logged(server, "task_process_crashed")) == 2


@pytest.mark.settings(LEASE="1s")
async def test_holds_the_lock(server, ledger):
    """A handler that holds the interpreter's lock is ended at its time limit; no lease is lost meanwhile."""
    server.start_all(workers=2, sweepers=0)
    async with server.client() as client:
        await client.send([*ledger.new(1, "exits", how="hold lock"), *ledger.new(10, "sleeps", seconds=0.1)])
        await ledger.follow(client)
        await client.send(ledger.new(5))
        await ledger.follow(client)
        await ledger.check(client, "taskTimeout")
    assert "exits" in [line["task_type"] for line in logged(server, "task_finished") if line["code"] == "taskTimeout"]
    assert {line["attempt"] for line in logged(server, "task_finished")} == {1}
    assert not logged(server, "claim_lost")


@pytest.mark.settings(WORKER_MEMORY="256MiB")
async def test_memory(server):
    """A task process that has grown too large is replaced by a fresh one; its task is answered."""
    server.start_all(workers=1, sweepers=0)
    async with server.client() as client:
        large = int((await client.run("leaks", megabytes=400))["text"])
        assert int((await client.run("leaks", megabytes=1))["text"]) != large
    assert ends(large)
    assert [line["reason"] for line in logged(server, "task_process_replaced")] == ["memory"]


async def test_stopped(server, ledger, tmp_path):
    """A worker that was stopped beyond its lease has its late answer refused, and its blob is gone."""
    server.start_all(workers=2, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        stopped = worker_of(server, first)
        server.kill(stopped, signal.SIGSTOP)
        await ledger.follow(client)
        (blob,) = files(server.folder / "images" / "images")
        server.kill(stopped, signal.SIGCONT)
        wait_for(lambda: logged(server, "late_answer_refused") or logged(server, "claim_lost"), 10)
        wait_for(lambda: files(server.folder / "images" / "scratch") == [], 5)
        assert files(server.folder / "images" / "images") == [blob]
        await client.quiet(0.5)
        await client.send(ledger.new(10))
        await ledger.follow(client)
        await ledger.check(client)
    assert stopped.poll() is None


async def test_stopped_while_it_runs(server, ledger, tmp_path):
    """A worker that comes back while its lost task still runs ends that task, and claims the next one."""
    server.start_all(workers=2, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=8, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        stopped = worker_of(server, first)
        server.kill(stopped, signal.SIGSTOP)
        await started(tmp_path / "marker", 2)
        server.kill(stopped, signal.SIGCONT)
        wait_for(lambda: logged(server, "claim_lost"), 5)
        assert ends(first), "a task that belongs to another worker went on"
        assert (await client.run("nothing", within=5))["text"] == "done"
        await ledger.follow(client)
        await ledger.check(client)


@pytest.mark.settings(LEASE="20s")
async def test_terminated(server, ledger, tmp_path):
    """A worker that is told to stop finishes what it runs, claims nothing more, and exits with 0."""
    server.start_all(workers=1, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        worker = worker_of(server, first)
        server.kill(worker, signal.SIGTERM)
        await client.send(ledger.new(5))
        assert worker.wait(10) == 0
        assert len(ledger.open) == 6
        server.start("worker")
        await ledger.follow(client, 10)
        await ledger.check(client)
    assert runs(server).total() == 6
    assert len(await started(tmp_path / "marker")) == 1


@pytest.mark.settings(LEASE="20s", DRAIN_TIMEOUT="300ms")
async def test_handed_back(server, ledger, tmp_path):
    """What a stopping worker cannot finish in TASKARRAY_DRAIN_TIMEOUT is another's at once, unharmed."""
    server.start_all(workers=2, sweepers=0)
    async with server.client() as client:
        await client.send(ledger.new(1, "lingers", seconds=2, marker=str(tmp_path / "marker")))
        (first,) = await started(tmp_path / "marker")
        worker, began = worker_of(server, first), time.monotonic()
        server.kill(worker, signal.SIGTERM)
        assert worker.wait(10) == 0
        await started(tmp_path / "marker", 2)
        assert time.monotonic() - began < 6, "it waited for the lease"
        await ledger.follow(client)
        await ledger.check(client)
    assert [line["attempt"] for line in logged(server, "task_finished")] == [1]


@pytest.mark.settings(LEASE="20s")
async def test_idle_ones_leave_nothing(server, ledger):
    """Idle workers that are told to stop take no task with them, whenever it comes."""
    server.start_all(workers=2, sweepers=0)
    workers = [process for process, port in server.processes.items() if not port]
    async with server.client() as client:
        for worker in workers:
            server.kill(worker, signal.SIGTERM)
        for _ in range(20):
            await client.send(ledger.new(1))
        assert [worker.wait(10) for worker in workers] == [0, 0]
        server.start("worker")
        await ledger.follow(client, 15)
        await ledger.check(client)


async def test_ordinary(server, ledger):
    """Two gateways and three workers serve as one: any task can be sent to one and asked for at the other."""
    server.start_all(gateways=2, workers=3)
    server.wait_workers(3)
    async with server.client(0) as one, server.client(1) as other:
        for _ in range(10):
            await one.send(ledger.new(5))
            await other.send(ledger.new(5, "sleeps", seconds=0))
        while ledger.open:
            ledger.take(await one.next() if len(ledger.open) % 2 else await other.next())
        await ledger.check(other)
    assert set(runs(server).values()) == {1}


async def test_no_worker(server, ledger):
    """Without any worker tasks are accepted and wait; the first worker that comes does them."""
    server.start("gateway")
    async with server.client() as client:
        await client.send(ledger.new(10))
        await client.quiet(0.3)
        frame = (await client.ask({"taskType": "getResponse", "taskUUID": ledger.open[0]["taskUUID"]}))[0]
        assert frame["data"][0]["status"] == "processing"
        server.start("worker")
        await ledger.follow(client)
        await ledger.check(client)
        assert (await client.run("nothing"))["taskUUID"] not in ledger.tasks
    assert new_task("nothing")["taskUUID"] not in runs(server)
