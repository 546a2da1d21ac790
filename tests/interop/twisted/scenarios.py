"""Small stories about Deferreds, told by Twisted. scenarios.cpp tells the same ones; both print what
happened, and scenarios_test.py compares.

Each line is `scenario: event`. Of an exception only its class is told.
"""

from twisted.internet import defer, task
from twisted.python import log

STORIES = []


class Boom(Exception):
    pass


class Other(Exception):
    pass


def story(function):
    STORIES.append(function)
    return function


class Teller:
    def __init__(self, name):
        self.name = name

    def __call__(self, *words):
        print(f"{self.name}: " + " ".join(str(word) for word in words))

    def value(self, label):
        def callback(result):
            self(label, "value", result)
            return result

        return callback

    def failure(self, label):
        def errback(failure):
            self(label, "failure", failure.type.__name__)
            return failure

        return errback

    def recover(self, label, result):
        def errback(failure):
            self(label, "failure", failure.type.__name__)
            return result

        return errback

    def attempt(self, label, function):
        try:
            function()
            self(label, "ok")
        except Exception as error:
            self(label, "throws", type(error).__name__)


def quiet(deferred):
    deferred.addErrback(lambda _: None)


def throws(error):
    def callback(_):
        raise error

    return callback


# ---- the chain


@story
def order(tell):
    d = defer.Deferred()
    d.addCallback(tell.value("first"))
    d.addCallback(lambda value: value + 1)
    d.addCallback(tell.value("second"))
    d.callback(1)


@story
def error_side(tell):
    d = defer.Deferred()
    d.addCallback(throws(Boom()))
    d.addCallback(tell.value("skipped"))
    d.addErrback(tell.recover("taken", 5))
    d.addCallback(tell.value("after"))
    d.callback(1)


@story
def pair(tell):
    d = defer.Deferred()
    d.addCallbacks(throws(Boom()), tell.recover("same pair", 0))
    d.addCallbacks(tell.value("skipped"), tell.recover("next pair", 7))
    d.addCallback(tell.value("after"))
    d.callback(1)


@story
def replaced_failure(tell):
    d = defer.Deferred()
    d.addErrback(throws(Other()))
    d.addErrback(tell.recover("sees", 0))
    d.errback(Boom())


@story
def late(tell):
    d = defer.succeed(3)
    tell("before")
    d.addCallback(tell.value("late"))
    tell("after")


@story
def reentrant(tell):
    d = defer.Deferred()

    def adds(value):
        tell("begin")
        d.addCallback(tell.value("added inside"))
        tell("end")
        return value

    d.addCallback(adds)
    d.addCallback(tell.value("there before"))
    d.callback(1)


@story
def twice(tell):
    d = defer.Deferred()
    d.callback(1)
    tell.attempt("callback", lambda: d.callback(2))
    tell.attempt("errback", lambda: d.errback(Boom()))
    d.addCallback(tell.value("still"))


@story
def both(tell):
    for fire in (lambda d: d.callback(1), lambda d: d.errback(Boom())):
        d = defer.Deferred()
        d.addBoth(lambda result: tell("both", "value" if isinstance(result, int) else "failure"))
        fire(d)


@story
def paused(tell):
    d = defer.Deferred()
    d.addCallback(tell.value("runs"))
    d.pause()
    d.pause()
    d.callback(1)
    tell("fired")
    d.unpause()
    tell("once")
    d.unpause()


@story
def typed_errback(tell):
    d = defer.Deferred()

    def only(failure):
        failure.trap(Other)
        tell("wrong")

    d.addErrback(only)
    d.addErrback(tell.recover("passed", 1))
    d.errback(Boom())


# ---- nests


@story
def returned(tell):
    outer, inner = defer.Deferred(), defer.Deferred()
    outer.addCallback(lambda _: inner)
    outer.addCallback(tell.value("outer"))
    outer.callback(1)
    tell("waits")
    inner.callback(2)


@story
def returned_fired(tell):
    outer = defer.Deferred()
    outer.addCallback(lambda _: defer.succeed(9))
    outer.addCallback(tell.value("outer"))
    outer.callback(1)
    tell("done")


@story
def returned_failed(tell):
    outer, inner = defer.Deferred(), defer.Deferred()
    outer.addCallback(lambda _: inner)
    outer.addErrback(tell.recover("outer", 0))
    outer.callback(1)
    inner.errback(Boom())


@story
def inner_first(tell):
    outer, inner = defer.Deferred(), defer.Deferred()
    inner.addCallback(lambda value: value * 10)
    outer.addCallback(lambda _: inner)
    outer.addCallback(tell.value("outer"))
    outer.callback(1)
    inner.callback(4)


@story
def three_deep(tell):
    a, b, c = defer.Deferred(), defer.Deferred(), defer.Deferred()
    a.addCallback(lambda _: b)
    b.addCallback(lambda _: c)
    a.addCallback(tell.value("a"))
    a.callback(1)
    b.callback(2)
    tell("c is missing")
    c.callback(3)


@story
def paused_inner(tell):
    outer, inner = defer.Deferred(), defer.Deferred()
    inner.pause()
    inner.callback(5)
    outer.addCallback(lambda _: inner)
    outer.addCallback(tell.value("outer"))
    outer.callback(1)
    tell("paused")
    inner.unpause()


@story
def chained(tell):
    a, b = defer.Deferred(), defer.Deferred()
    a.chainDeferred(b)
    b.addCallback(tell.value("b"))
    a.callback(6)


@story
def chained_failure(tell):
    a, b = defer.Deferred(), defer.Deferred()
    a.chainDeferred(b)
    b.addErrback(tell.recover("b", 0))
    a.errback(Boom())


# ---- cancelling


@story
def cancel_plain(tell):
    d = defer.Deferred()
    d.addErrback(tell.recover("cancelled", 0))
    d.cancel()
    d.cancel()
    tell.attempt("late", lambda: d.callback(1))
    tell.attempt("later", lambda: d.callback(1))


@story
def cancel_with_canceller(tell):
    d = defer.Deferred(lambda _: tell("canceller"))
    d.addErrback(tell.recover("cancelled", 0))
    d.cancel()
    d.cancel()
    tell.attempt("late", lambda: d.callback(1))


@story
def canceller_calls_back(tell):
    d = defer.Deferred(lambda it: it.callback(8))
    d.addCallback(tell.value("result"))
    d.cancel()


@story
def canceller_fails(tell):
    d = defer.Deferred(lambda it: it.errback(Boom()))
    d.addErrback(tell.recover("result", 0))
    d.cancel()


@story
def cancel_fired(tell):
    d = defer.Deferred(lambda _: tell("canceller"))
    d.callback(1)
    d.cancel()
    d.addCallback(tell.value("result"))


@story
def cancel_nest(tell):
    inner = defer.Deferred(lambda _: tell("inner's canceller"))
    outer = defer.Deferred(lambda _: tell("outer's canceller"))
    outer.addCallback(lambda _: inner)
    outer.addErrback(tell.recover("outer", 0))
    outer.callback(1)
    outer.cancel()


@story
def cancel_recovered(tell):
    inner = defer.Deferred()
    inner.addErrback(lambda _: 12)
    outer = defer.Deferred()
    outer.addCallback(lambda _: inner)
    outer.addCallback(tell.value("outer"))
    outer.callback(1)
    outer.cancel()
    tell.attempt("late inner", lambda: inner.callback(1))


# ---- timeouts


@story
def timeout(tell):
    clock, d = task.Clock(), defer.Deferred()
    d.addTimeout(10, clock)
    d.addErrback(tell.recover("ends", 0))
    clock.advance(9)
    tell("not yet")
    clock.advance(1)


@story
def in_time(tell):
    clock, d = task.Clock(), defer.Deferred()
    d.addTimeout(10, clock)
    d.addCallback(tell.value("ends"))
    d.callback(3)
    clock.advance(20)
    tell("calls left", len(clock.getDelayedCalls()))


@story
def timeout_custom(tell):
    clock, d = task.Clock(), defer.Deferred()
    d.addTimeout(10, clock, onTimeoutCancel=lambda value, timeout: 77)
    d.addCallback(tell.value("ends"))
    clock.advance(10)


@story
def timeout_swallowed_before(tell):
    clock, d = task.Clock(), defer.Deferred()
    d.addErrback(tell.recover("first", 4))
    d.addTimeout(10, clock)
    d.addCallback(tell.value("ends"))
    clock.advance(10)


@story
def timeout_then_cancel_by_hand(tell):
    clock, d = task.Clock(), defer.Deferred()
    d.addTimeout(10, clock)
    d.addErrback(tell.recover("ends", 0))
    d.cancel()
    tell("calls left", len(clock.getDelayedCalls()))


# ---- several


@story
def all_of_them(tell):
    ds = [defer.Deferred() for _ in range(3)]
    all_ = defer.gatherResults(ds)
    all_.addCallback(tell.value("all"))
    ds[2].callback(3)
    ds[0].callback(1)
    ds[1].callback(2)


@story
def first_error(tell):
    ds = [defer.Deferred() for _ in range(3)]
    all_ = defer.gatherResults(ds, consumeErrors=True)

    def told(failure):
        tell("failure", failure.type.__name__, failure.value.index)
        tell("sub", failure.value.subFailure.type.__name__)

    all_.addErrback(told)
    ds[1].errback(Boom())
    ds[2].errback(Other())
    ds[0].callback(1)


@story
def list_of_outcomes(tell):
    ds = [defer.Deferred() for _ in range(2)]

    def told(results):
        for success, result in results:
            tell("value" if success else "failure", result if success else result.type.__name__)

    defer.DeferredList(ds, consumeErrors=True).addCallback(told)
    ds[1].callback(2)
    ds[0].errback(Boom())


@story
def first_value(tell):
    ds = [defer.Deferred() for _ in range(2)]
    first = defer.DeferredList(ds, fireOnOneCallback=True, consumeErrors=True)
    first.addCallback(lambda pair: tell("first", pair[0], "of", pair[1]))
    ds[0].errback(Boom())
    ds[1].callback(2)


@story
def empty_list(tell):
    defer.gatherResults([]).addCallback(tell.value("all"))


@story
def cancel_all(tell):
    ds = [defer.Deferred(lambda _, i=i: tell("canceller", i)) for i in range(2)]
    all_ = defer.gatherResults(ds, consumeErrors=True)
    all_.addErrback(lambda failure: tell("failure", failure.type.__name__, failure.value.index))
    all_.cancel()


# ---- locks and queues


@story
def lock(tell):
    lock = defer.DeferredLock()
    for i in range(3):
        lock.acquire().addCallback(lambda _, i=i: tell("has it", i))
    tell("release")
    lock.release()
    tell("release")
    lock.release()
    lock.release()
    tell("locked", lock.locked)


@story
def lock_cancelled(tell):
    lock = defer.DeferredLock()
    lock.acquire()
    waiting = lock.acquire()
    waiting.addErrback(tell.recover("waiting", 0))
    lock.acquire().addCallback(lambda _: tell("third has it"))
    waiting.cancel()
    lock.release()


@story
def lock_run(tell):
    lock, work = defer.DeferredLock(), defer.Deferred()
    lock.run(lambda: work).addErrback(tell.recover("run", 0))
    tell("locked", lock.locked)
    work.errback(Boom())
    tell("locked", lock.locked)


@story
def semaphore(tell):
    semaphore = defer.DeferredSemaphore(2)
    for i in range(4):
        semaphore.acquire().addCallback(lambda _, i=i: tell("has it", i))
    tell("tokens", semaphore.tokens)
    semaphore.release()
    semaphore.release()


@story
def queue(tell):
    queue = defer.DeferredQueue(size=1, backlog=2)
    queue.get().addCallback(tell.value("first"))
    queue.get().addCallback(tell.value("second"))
    tell.attempt("third get", queue.get)
    queue.put(1)
    queue.put(2)
    queue.put(3)
    tell.attempt("put", lambda: queue.put(4))
    queue.get().addCallback(tell.value("kept"))


@story
def queue_cancelled(tell):
    queue = defer.DeferredQueue()
    waiting = queue.get()
    waiting.addErrback(tell.recover("waiting", 0))
    waiting.cancel()
    queue.put(1)
    queue.get().addCallback(tell.value("next"))


# ---- coroutines


@story
def coroutine(tell):
    @defer.inlineCallbacks
    def work(a, b):
        tell("begins")
        x = yield a
        tell("got", x)
        y = yield b
        return x + y

    a, b = defer.Deferred(), defer.succeed(5)
    work(a, b).addCallback(tell.value("sum"))
    tell("called")
    a.callback(2)


@story
def coroutine_error(tell):
    @defer.inlineCallbacks
    def work(d):
        try:
            yield d
        except Boom:
            tell("caught")
            raise Other()

    d = defer.Deferred()
    work(d).addErrback(tell.recover("result", 0))
    d.errback(Boom())


@story
def coroutine_cancelled(tell):
    @defer.inlineCallbacks
    def work(first, second):
        try:
            yield first
        except defer.CancelledError:
            tell("first was cancelled")
        value = yield second
        return value

    first = defer.Deferred(lambda _: tell("canceller"))
    second = defer.Deferred()
    result = work(first, second)
    result.addCallback(tell.value("result"))
    result.cancel()
    tell("goes on")
    second.callback(3)


@story
def coroutine_slow_cancel(tell):
    ending = defer.Deferred()

    @defer.inlineCallbacks
    def work():
        try:
            yield defer.Deferred()
        except defer.CancelledError:
            tell("cleans up")
            yield ending
            tell("clean")
            raise

    result = work()
    result.addErrback(tell.recover("result", 0))
    result.cancel()
    tell("not yet")
    ending.callback(None)


# ---- time


@story
def clock(tell):
    clock = task.Clock()
    clock.callLater(3, lambda: tell("three"))
    clock.callLater(1, lambda: (tell("one"), clock.callLater(1, lambda: tell("two"))))
    later = clock.callLater(2, lambda: tell("never"))
    later.cancel()
    clock.advance(1)
    tell("advanced")
    clock.pump([1, 1])


@story
def looping(tell):
    clock, count = task.Clock(), []

    def tick():
        count.append(clock.seconds())
        tell("tick at", int(clock.seconds()))
        if len(count) == 4:
            loop.stop()

    loop = task.LoopingCall(tick)
    loop.clock = clock
    loop.start(10).addCallback(lambda _: tell("stopped"))
    for seconds in (10, 5, 27, 3, 10, 10):
        clock.advance(seconds)


@story
def looping_waits(tell):
    clock, waits = task.Clock(), []

    def tick():
        tell("tick at", int(clock.seconds()))
        waits.append(defer.Deferred())
        return waits[-1]

    loop = task.LoopingCall(tick)
    loop.clock = clock
    done = loop.start(10, now=False)
    done.addCallback(lambda _: tell("stopped"))
    clock.advance(10)
    clock.advance(25)
    waits[0].callback(None)
    clock.advance(5)
    loop.stop()
    tell("asked to stop")
    waits[1].callback(None)


@story
def looping_fails(tell):
    clock = task.Clock()
    loop = task.LoopingCall(throws_now)
    loop.clock = clock
    loop.start(1).addErrback(tell.recover("loop", 0))
    tell("running", loop.running)


def throws_now():
    raise Boom()


@story
def later(tell):
    clock = task.Clock()
    task.deferLater(clock, 5, lambda: 4).addCallback(tell.value("then"))
    cancelled = task.deferLater(clock, 3, lambda: tell("never"))
    cancelled.addErrback(tell.recover("cancelled", 0))
    cancelled.cancel()
    clock.advance(4)
    tell("four")
    clock.advance(1)


@story
def maybe(tell):
    defer.maybeDeferred(lambda: 2).addCallback(tell.value("value"))
    defer.maybeDeferred(throws_now).addErrback(tell.recover("error", 0))
    defer.maybeDeferred(lambda: defer.succeed(3)).addCallback(tell.value("deferred"))


def main():
    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    for each in STORIES:
        each(Teller(each.__name__))


if __name__ == "__main__":
    main()
