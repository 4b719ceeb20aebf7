"""Places for calls: how many at once, who waits, who is refused, and that a place is given back."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from redis import Redis

from launch.serve import children
from routing import crowd, shared_calls
from routing.broker import Broker
from routing.crowd import BodiesElsewhere, Crowd
from routing.models import Route
from routing.problem import Problem

pytestmark = pytest.mark.pure


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(crowd, "WAIT_SECONDS", 0.01)


class Held:
    """Calls that are inside until `leave`."""

    def __init__(self, places, number, route="a", **options):
        options = {"is_sync": False, **options}
        self.calls = [places.place(f"{route}", **options) for _ in range(number)]
        for call in self.calls:
            call.__enter__()

    def leave(self, number=None):
        for call in self.calls[:number]:
            call.__exit__(None, None, None)
        del self.calls[:number]


def refused(places, route="a", **options):
    """Whether a call finds no place."""
    try:
        Held(places, 1, route, **options).leave()
    except Problem as problem:
        return (problem.code, problem.headers) == ("busy", {"Retry-After": "2"})
    return False


def test_one_route_cannot_take_the_places_of_another(quickly):
    places = Crowd()
    mine = Held(places, crowd.ROUTE_PLACES)
    assert refused(places)
    assert not refused(places, "b")
    mine.leave(1)
    assert not refused(places)


def test_asynchronous_calls_find_a_place_however_many_synchronous_ones_there_are(quickly):
    places = Crowd()
    slow = [Held(places, 60, "a", is_sync=True), Held(places, crowd.SYNC_PLACES - 60, "b", is_sync=True)]
    assert refused(places, "c", is_sync=True)
    assert not refused(places, "c")
    slow[0].leave(1)
    assert not refused(places, "c", is_sync=True)


def test_threads_are_left_for_those_who_are_refused():
    assert crowd.PLACES + crowd.WAITING + crowd.ELSEWHERE < crowd.THREADS
    assert crowd.SYNC_PLACES < crowd.PLACES
    assert 2 * crowd.ROUTE_PLACES < crowd.PLACES


def test_the_server_is_started_with_as_many_threads(tmp_path):
    (tmp_path / "logs").mkdir()
    web = children({}, 8000, tmp_path)[-1].command
    assert web[web.index("--blocking-threads") + 1] == str(crowd.THREADS)


def test_who_waits_gets_the_first_place_that_is_given_back():
    places = Crowd()
    mine = Held(places, crowd.ROUTE_PLACES)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(refused, places) for _ in range(3)]
        while len(places._waiting) < 3:
            pass
        mine.leave(1)
        assert [answer.result() for answer in answers] == [False, False, False]


def test_no_more_wait_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(crowd, "WAITING", 0)
    monkeypatch.setattr(crowd, "WAIT_SECONDS", 3600)
    places = Crowd()
    mine = Held(places, crowd.ROUTE_PLACES)
    assert refused(places)
    mine.leave()


def test_nobody_waits_where_the_owner_of_the_route_gave_the_number(monkeypatch):
    monkeypatch.setattr(crowd, "WAIT_SECONDS", 3600)
    places = Crowd()
    mine = Held(places, 2, at_most=2, wait=False)
    assert refused(places, at_most=2, wait=False)
    mine.leave()


def test_a_place_is_given_back_however_a_call_ends():
    places = Crowd()
    for _ in range(crowd.ROUTE_PLACES + 1):
        with pytest.raises(ZeroDivisionError), places.place("a", is_sync=True):
            1 / 0  # noqa: B018
    assert (places._calls, places._sync_calls, places._of_route) == (0, 0, {})


def test_many_threads_never_hold_more_places_than_there_are(monkeypatch):
    monkeypatch.setattr(crowd, "PLACES", 5)
    places, inside, most = Crowd(), [], []

    def call(number):
        for _ in range(50):
            with places.place(str(number % 3), is_sync=bool(number % 2), at_most=3):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(12)))
    assert max(most) <= 5
    assert (places._calls, places._waiting) == (0, [])


# --- A route's own number ----------------------------------------------------------------------------------------------


@pytest.fixture
def route():
    return Route(id=uuid.uuid4().hex, concurrency=2)


def process(monkeypatch, shared):
    """From now on this is another web process."""
    monkeypatch.setattr(shared_calls, "broker", lambda: shared)
    places = Crowd()
    monkeypatch.setattr(crowd, "crowd", lambda: places)


def busy(route):
    try:
        with crowd.place(route):
            return False
    except Problem as problem:
        return problem.code == "busy"


def test_the_number_of_a_route_holds_for_all_web_processes_together(monkeypatch, broker, route):
    client = Redis.from_url(broker)
    process(monkeypatch, Broker(client))
    with crowd.place(route):
        process(monkeypatch, Broker(client))
        with crowd.place(route):
            assert busy(route)
            process(monkeypatch, Broker(client))
            assert busy(route)
            assert (
                0 < client.ttl(f"chatflow:calls:{route.pk}") <= route.deadline_seconds + shared_calls.LEASE_SECONDS + 1
            )
        assert not busy(route)
    assert not client.exists(f"chatflow:calls:{route.pk}")


def test_what_a_killed_process_has_counted_is_forgotten(monkeypatch, broker, route):
    client = Redis.from_url(broker)
    process(monkeypatch, Broker(client))
    client.zadd(f"chatflow:calls:{route.pk}", {"dead": client.time()[0], "living": client.time()[0] + 20})
    with crowd.place(route):
        assert busy(route)


class Frozen(Broker):
    """A broker that does what it is told, but whose answers come too late."""

    def ask(self, question):
        super().ask(question)


def test_what_a_frozen_broker_has_counted_is_taken_back(monkeypatch, broker, route):
    client = Redis.from_url(broker)
    process(monkeypatch, Frozen(client))
    with crowd.place(route), crowd.place(route):
        pass
    client.zadd(f"chatflow:calls:{route.pk}", dict.fromkeys(shared_calls._left[f"chatflow:calls:{route.pk}"], 2**40))
    process(monkeypatch, Broker(client))
    with crowd.place(route), crowd.place(route):
        assert client.zcard(f"chatflow:calls:{route.pk}") == 2
    assert not client.exists(f"chatflow:calls:{route.pk}")
    assert f"chatflow:calls:{route.pk}" not in shared_calls._left


def test_while_the_broker_is_away_each_process_counts_for_itself(monkeypatch, route):
    process(monkeypatch, Broker(None))
    with crowd.place(route), crowd.place(route):
        assert busy(route)
    assert not busy(route)


# --- Bodies elsewhere --------------------------------------------------------------------------------------------------


def post(middleware, path="/admin/login/", **meta):
    return middleware(RequestFactory().post(path, "a=1", "application/x-www-form-urlencoded", **meta))


def test_of_bodies_that_no_token_stands_before_few_are_read_at_once():
    here, go = threading.Semaphore(0), threading.Event()

    def slow(request):
        if request.path == "/admin/login/":
            here.release()
            go.wait()
        return HttpResponse("ok")

    middleware = BodiesElsewhere(slow)
    with ThreadPoolExecutor(crowd.ELSEWHERE) as pool:
        answers = [pool.submit(post, middleware) for _ in range(crowd.ELSEWHERE)]
        for _ in range(crowd.ELSEWHERE):
            here.acquire()
        assert (post(middleware, "/admin/").status_code, post(middleware, "/admin/")["Retry-After"]) == (503, "2")
        assert post(middleware, "/dynamic/x").status_code == 200
        assert middleware(RequestFactory().get("/admin/")).status_code == 200
        go.set()
        assert {answer.result().status_code for answer in answers} == {200}
    assert post(middleware, "/admin/").status_code == 200


@pytest.mark.parametrize("length", ["4194305", "99999999999999999999", "-1", "x", "１"])
def test_no_upload_fills_the_disk(length):
    assert post(BodiesElsewhere(lambda request: HttpResponse()), CONTENT_LENGTH=length).status_code == 413
