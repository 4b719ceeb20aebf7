"""Rates: counted in the broker, and in the process while it is away."""

import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import RedisError

from routing import broker, rate
from routing.broker import Broker

pytestmark = pytest.mark.pure

AWAY = Broker(None)


@pytest.fixture
def broker_url(request):
    return request.getfixturevalue("broker")


class Clock:
    def __init__(self, now=6_000.0):
        self.now = now

    def __call__(self):
        return self.now


def allowed(limiter, times, per_minute=3, key="r"):
    return [limiter.check(key, per_minute).allowed for _ in range(times)]


def test_so_many_requests_a_minute_and_no_more():
    clock = Clock()
    limiter = rate.Limiter(AWAY, clock)
    assert allowed(limiter, 5) == [True, True, True, False, False]
    clock.now += 59.9
    assert allowed(limiter, 1) == [False]
    clock.now += 0.1
    assert allowed(limiter, 4) == [True, True, True, False]


def test_each_key_has_its_own_count():
    limiter = rate.Limiter(AWAY, Clock())
    assert allowed(limiter, 4, key="a")[-1] is False
    assert allowed(limiter, 3, key="b") == [True, True, True]


def test_without_a_limit_nothing_is_counted():
    assert all(allowed(rate.Limiter(AWAY, Clock()), 500, per_minute=None))


@pytest.mark.parametrize(("now", "seconds"), [(6_000.0, 60), (6_030.4, 30), (6_059.9, 1)])
def test_the_answer_says_when_the_next_window_begins(now, seconds):
    assert rate.Limiter(AWAY, Clock(now)).check("r", 1).retry_after_seconds == seconds


class Broken:
    """A broker that is away, counting who asks for it."""

    asked = 0

    def pipeline(self, transaction):
        self.asked += 1
        raise RedisError("away")


def test_while_the_broker_is_away_the_process_counts_and_does_not_ask_every_time():
    clock, client = Clock(), Broken()
    limiter = rate.Limiter(Broker(client, clock), clock)
    assert allowed(limiter, 5) == [True, True, True, False, False]
    assert client.asked == 1
    clock.now += broker.REST_SECONDS
    assert allowed(limiter, 2) == [False, False]
    assert client.asked == 2


def test_a_broker_that_accepts_and_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        limiter = rate.Limiter(Broker(broker.client(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")))
        assert limiter.check("r", 1).allowed


def test_a_broker_that_comes_and_goes_lets_no_call_through_beyond_the_limit(broker_url):
    shared = Broker(Redis.from_url(broker_url))
    limiter, key, answering = rate.Limiter(shared, Clock()), uuid.uuid4().hex, shared.ask
    found = allowed(limiter, 1, key=key)
    shared.ask = lambda question: None
    found += allowed(limiter, 1, key=key)
    shared.ask = answering
    found += allowed(limiter, 2, key=key)
    assert found == [True, True, True, False]


def test_processes_share_one_count_in_the_broker_and_it_expires(broker_url):
    key = uuid.uuid4().hex
    one, other = (rate.Limiter(Broker(Redis.from_url(broker_url)), Clock()) for _ in range(2))
    assert allowed(one, 2, key=key) + allowed(other, 2, key=key) == [True, True, True, False]
    assert 0 < Redis.from_url(broker_url).ttl(f"chatflow:rate:{key}:100") <= 120


def test_fifty_threads_at_once_get_no_call_more_than_the_limit(broker_url):
    key, start = uuid.uuid4().hex, threading.Barrier(50)
    limiter = rate.Limiter(Broker(Redis.from_url(broker_url)), Clock())

    def knock(_):
        start.wait()
        return [limiter.check(key, 100).allowed for _ in range(10)]

    with ThreadPoolExecutor(50) as pool:
        answers = [allowed for answers in pool.map(knock, range(50)) for allowed in answers]
    assert answers.count(True) == 100
