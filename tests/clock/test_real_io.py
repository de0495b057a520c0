"""Real loopback services answer in real time: virtual time waits for them, and only for them."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from llmtest.clock import run_virtual, virtual_time
from llmtest.clock._real import REAL
from llmtest.errors import VirtualTimeStalledError

ANSWER_AFTER_S = 0.005


@pytest.fixture
def echo():
    """A TCP server in threads from before the simulation, which answers after a few real milliseconds."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            while data := connection.recv(100):
                REAL.sleep(20 * ANSWER_AFTER_S if data == b"slow" else ANSWER_AFTER_S)
                connection.sendall(data)

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def ask(address):
    """Ask the server synchronously."""
    with socket.create_connection(address) as connection:
        connection.sendall(b"sync")
        return connection.recv(10)


def test_a_timeout_around_a_real_answer_does_not_fire(echo):
    """Thirty virtual seconds are not over before ten real milliseconds are."""
    peers = []

    async def main():
        reader, writer = await asyncio.open_connection(*echo)
        for text in (b"one", b"two"):
            async with asyncio.timeout(30):
                writer.write(text)
                assert await reader.read(10) == text
        writer.close()
        await writer.wait_closed()

    with virtual_time(on_real_io=peers.append) as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0
        ask(echo)
    assert peers == [f"127.0.0.1:{echo[1]}"]


def test_a_slow_answer_is_waited_for_beyond_the_grace(echo):
    """A server that was asked gets more time than an idle connection: a busy machine is no timeout."""

    async def main():
        reader, writer = await asyncio.open_connection(*echo)
        async with asyncio.timeout(30):
            writer.writelines([b"sl", b"ow"])  # since 3.12 through `sendmsg`
            assert await reader.read(10) == b"slow"
        writer.close()
        await writer.wait_closed()

    with virtual_time(grace=0.01) as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0


def test_an_idle_connection_slows_time_down_once(echo):
    """After one grace, a thousand jumps cost no more than ever."""

    async def main():
        reader, writer = await asyncio.open_connection(*echo)
        writer.write(b"x")
        await reader.read(1)
        start = REAL.monotonic()
        for _ in range(1000):
            await asyncio.sleep(1)
        writer.close()
        return REAL.monotonic() - start

    with virtual_time() as clock:
        assert asyncio.run(main()) < 0.5
        assert clock.elapsed() == 1000.0


def test_a_thread_that_waits_for_a_real_answer_holds_time_still(echo):
    """A synchronous client in a worker thread is as real as an asynchronous one."""

    async def main():
        async with asyncio.timeout(30):
            return await asyncio.to_thread(ask, echo)

    with virtual_time() as clock:
        assert asyncio.run(main()) == b"sync"
        assert clock.elapsed() == 0.0
        sleeper = threading.Thread(target=time.sleep, args=(50,))
        sleeper.start()
        assert ask(echo) == b"sync"
        assert clock.elapsed() == 0.0
        time.sleep(20)
        assert clock.elapsed() == 20.0
        sleeper.join()
        assert clock.elapsed() == 50.0


def test_a_server_inside_the_simulation_sleeps_virtually():
    """Both ends take part: the server's thread, its loop, and the client that waits in a real `recv`."""
    ready = threading.Event()
    address = []

    async def serve():
        async def handle(reader, writer):
            await reader.read(10)
            await asyncio.sleep(30)
            writer.write(b"late")
            writer.close()
            done.set()

        done = asyncio.Event()
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        address.append(server.sockets[0].getsockname())
        ready.set()
        await done.wait()
        server.close()

    with virtual_time() as clock:
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        ready.wait()
        assert ask(address[0]) == b"late"
        assert clock.elapsed() == 30.0
        thread.join()


def test_a_hook_may_report_real_io():
    """Whoever sees a connection elsewhere can tell the clock."""
    peers = []
    with virtual_time(on_real_io=peers.append) as clock:
        clock.note_real_io("[::1]:5432")
        clock.note_real_io("[::1]:5432")
        clock.note_real_io()
    clock.note_real_io("nobody listens")
    assert peers == ["[::1]:5432"]


def test_a_deadlock_beside_an_open_connection_is_still_reported(echo, monkeypatch):
    """A connection that stays silent does not hide it for ever."""
    monkeypatch.setattr("llmtest.clock._loop.IO_PATIENCE_S", 0.05)

    async def main():
        _, writer = await asyncio.open_connection(*echo)
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    with virtual_time(), pytest.raises(VirtualTimeStalledError):
        asyncio.run(main())


def test_a_plain_virtual_loop_waits_for_sockets_too(echo):
    """Without an installation the loop knows its own connections."""

    async def main():
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(*echo)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
        await asyncio.sleep(60)
        writer.close()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 60.0


def test_a_child_process_is_real_work_for_a_thread():
    """While `subprocess.run` waits, the sleeper beside it does not get its hour."""
    log = []
    with virtual_time() as clock:
        sleeper = threading.Thread(target=lambda: (time.sleep(3600), log.append("woke")))
        sleeper.start()
        done = subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=20)
        assert done.returncode == 0
        assert (log, clock.elapsed()) == ([], 0.0)
        sleeper.join()
        assert clock.elapsed() == 3600.0


def test_at_a_prompt_time_stands_still():
    """A thread that reads standard input holds everybody."""
    code = (
        "import sys, threading, time\n"
        "from llmtest.clock import virtual_time\n"
        "with virtual_time() as clock:\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "    print('ready', flush=True)\n"
        "    input()\n"
        "    print(clock.elapsed())\n"
        "    time.sleep(5)\n"
        "    print(clock.elapsed())\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    REAL.sleep(0.05)
    output, _ = child.communicate("\n", timeout=20)
    assert output == "0.0\n5.0\n"


def child_of(code):
    """Start a Python process on the running loop, with pipes."""
    pipe = asyncio.subprocess.PIPE
    return asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import time; time.sleep(0.6); print('done')", id="sleeps"),
        pytest.param("import subprocess as s; s.run('sleep 0.6', shell=True); print('done')", id="waits-for-another"),
    ],
)
def test_t35_a_child_process_is_waited_for_on_the_loop(code):
    """Twenty virtual seconds are not over before a child that takes 0.6 real ones, silent all the while."""

    async def main():
        process = await child_of(code)
        return (await asyncio.wait_for(process.communicate(), 20))[0], process.returncode

    with virtual_time() as clock:
        assert asyncio.run(main()) == (b"done\n", 0)
        assert clock.elapsed() == 0.0


def test_t35_a_child_that_waits_for_input_does_not_hold_time(monkeypatch):
    """A server that is watched by a task in the background is no work; time jumps while it is idle."""

    async def main():
        process = await child_of("print(input())")
        watcher = asyncio.create_task(process.wait())
        await asyncio.sleep(30)
        assert not watcher.done()
        process.stdin.write(b"bye\n")
        assert await process.stdout.read() == b"bye\n"
        return await watcher

    with virtual_time() as clock:
        assert asyncio.run(main()) == 0
        assert clock.elapsed() == 30.0


def test_t35_a_child_that_works_for_ever_is_left_to_itself(monkeypatch):
    """Whoever waits with a limit gets the timeout, later in real time than in virtual time."""
    monkeypatch.setattr("llmtest.clock._children.PATIENCE_NS", 50_000_000)

    async def main():
        process = await child_of("while True: pass")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 20)
        process.kill()
        await process.communicate()

    with virtual_time() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 20.0


def test_t35_a_child_process_of_a_thread_is_waited_for_as_long_as_it_takes(monkeypatch):
    """A child in a worker thread may be silent for longer than any other system call."""
    monkeypatch.setattr("llmtest.clock._member.OTHER_NS", 20_000_000)

    async def main():
        command = [sys.executable, "-c", "import time; time.sleep(0.3)"]
        async with asyncio.timeout(20):
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)

    with virtual_time() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0


POOLS = """
import sys, time
from llmtest.clock import virtual_time

def job(number):
    time.sleep(0.3)
    return number * 2

def main(kind, method):
    with virtual_time() as clock:
        import multiprocessing  # for the first time
        context = multiprocessing.get_context(method)
        if kind == "pool":
            with context.Pool(2) as pool:
                found = pool.map(job, range(3))
        else:
            from concurrent.futures import ProcessPoolExecutor

            with ProcessPoolExecutor(2, mp_context=context) as pool:
                found = [pool.submit(job, number).result(timeout=20) for number in range(2)] + list(pool.map(job, [2]))
        time.sleep(5)
        print(found, clock.elapsed())

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.parametrize("kind", ["pool", "executor"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_t42_pools_of_processes_work(tmp_path, kind, method):
    """However a process starts, its results come, and time stands still until they do."""
    script = tmp_path / "pools.py"
    script.write_text(POOLS)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), kind, method],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[0, 2, 4] 5.0\n", "")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_t42_a_forked_process_goes_on_in_virtual_time():
    """The one thread of the child does not wait for threads that it does not have."""
    reader, writer = os.pipe()
    with virtual_time() as clock:
        sleeper = threading.Thread(target=time.sleep, args=(3600,))
        sleeper.start()
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os.write(writer, str(clock.elapsed()).encode())
            os._exit(0)
        assert os.read(reader, 100) == b"60.0"
        os.waitpid(pid, 0)
        assert clock.elapsed() == 0.0
        sleeper.join()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("limit", [0.0, 300.0])
def test_a_default_executor_is_joined_without_a_jump(limit):
    """The limit of asyncio on the join of its threads is one of real time: a jump would end it at once."""

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(int)
        arguments = () if sys.version_info < (3, 12) else (limit,)
        await loop.shutdown_default_executor(*arguments)

    with virtual_time() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0
