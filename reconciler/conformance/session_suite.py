"""The session against its emulated product: what is made reads back as wanted, and what goes wrong goes wrong safely."""

from __future__ import annotations

import contextlib
import logging
import math
import pickle
import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial

import pytest

from reconciler.conformance.base import Conformance
from reconciler.conformance.bench import Bench, Made
from reconciler.conformance.manifests import KEY, LEVEL, OTHER_LEVEL
from reconciler.emulator.base import RateLimit
from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    InvalidInput,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    RetryLater,
    Stopped,
    WriteRefused,
)
from reconciler.model.desired import RateLimit as Allowance
from reconciler.providers import pacing
from reconciler.providers.base import Expiry, Heard, Session, Step, Verification, Write


class SessionConformance(Conformance):
    """Every provider's session passes these."""

    # What is made is what was wanted.

    def test_what_is_made_reads_back_as_it_was_wanted(self, open_bench: Callable[..., Bench], variant: str) -> None:
        """A level and a key with every field are observed exactly as wanted, whatever order or case comes back."""
        bench = open_bench(variant=variant)
        mark = bench.mark()
        level_id = bench.make_level(mark=mark)
        if bench.declares_levels:
            level = bench.find_level(level_id)
            assert bench.difference(bench.provider.level_fields(bench.wanted_level()), level.fields) == {}
            assert (level.name, level.mark, level.builtin) == (LEVEL, mark, False)
        made = bench.make_key(level_id)
        found = bench.find(made)
        assert bench.difference(made.fields, found.fields) == {}
        assert (found.name, found.mark, found.level_id) == (KEY, made.mark, level_id)

    def test_a_change_of_one_field_changes_that_field_alone(self, bench: Bench, key_field: str) -> None:
        """Each field of a key can be changed, and mark, description and all the rest stay as they were."""
        level_id = bench.make_level()
        made = bench.make_key(level_id)
        change = self.subject.key_changes(bench.emulator, bench.clock.now())[key_field]
        bench.samples.change_key(key_field, change)
        wanted = bench.provider.key_fields(bench.wanted_key())
        changed = {name: value for name, value in wanted.items() if value != made.fields[name]}
        assert changed, f"the change of {key_field} changes nothing"
        if set(changed) & bench.traits.fixed or ("expires" in changed and bench.traits.expiry is not Expiry.EDITABLE):
            pytest.skip(f"{key_field} is set at creation only")
        self._update(bench, made, changed)
        found = bench.find(made)
        assert bench.difference(wanted, found.fields) == {}
        assert (found.mark, found.level_id) == (made.mark, level_id)

    def test_a_key_can_be_renamed(self, bench: Bench) -> None:
        """A key gets another name and stays the same key."""
        made = bench.make_key(bench.make_level())
        if "name" in bench.traits.fixed:
            pytest.skip("a key keeps its name for life")
        self._update(bench, made, {"name": "renamed"})
        made.name = "renamed"
        found = bench.find(made)
        assert bench.difference({**made.fields, "name": "renamed"}, found.fields) == {}
        assert (found.name, found.mark) == ("renamed", made.mark)

    def test_a_key_can_be_given_another_level(self, bench: Bench) -> None:
        """A key gets another level, and nothing else of it changes."""
        made = bench.make_key(bench.make_level())
        if bench.traits.fixed_level:
            pytest.skip("a key keeps its level for life")
        other = bench.make_level(OTHER_LEVEL)
        bench.session.update_key(made.issued.vendor_id, {}, other, made.mark)
        found = bench.find(made)
        assert found.level_id == other
        assert bench.difference(made.fields, found.fields) == {}
        assert found.mark == made.mark

    def test_a_new_mark_replaces_the_former_one(self, bench: Bench) -> None:
        """A mark is changed together with the description, which stays."""
        made = bench.make_key(bench.make_level())
        if "description" in bench.traits.fixed:
            pytest.skip("a key keeps its description for life")
        made.mark = bench.mark()
        self._update(bench, made, {"description": made.fields["description"]})
        found = bench.find(made)
        assert found.mark == made.mark
        assert bench.difference(made.fields, found.fields) == {}

    def test_a_change_of_one_field_changes_that_field_of_the_level_alone(
        self, bench: Bench, level_field: str | None
    ) -> None:
        """Each field of a level can be changed, and the mark stays."""
        if level_field is None:
            pytest.skip("levels cannot be declared here")
        mark = bench.mark()
        level_id = bench.make_level(mark=mark)
        if bench.traits.replaces_levels:
            pytest.skip("a level is changed by making another one")
        before = bench.provider.level_fields(bench.wanted_level())
        bench.samples.change_level(level_field, self.subject.level_changes(bench.emulator)[level_field])
        wanted = bench.provider.level_fields(bench.wanted_level())
        assert wanted != before, f"the change of {level_field} changes nothing"
        if Write.UPDATE_LEVEL in bench.traits.by_hand:
            step = Step(LEVEL, wanted, mark, vendor_id=level_id, changed=frozenset({level_field}))
            bench.ask(Write.UPDATE_LEVEL, step)
        else:
            bench.session.update_level(level_id, wanted, mark)
        found = bench.find_level(level_id)
        assert bench.difference(wanted, found.fields) == {}
        assert found.mark == mark

    def test_an_update_that_is_repeated_changes_nothing_more(self, bench: Bench) -> None:
        """Updates give the same result when they are made twice, as a run that begins again makes them."""
        level_id = bench.make_level()
        made = bench.make_key(level_id)
        for _ in range(2):
            bench.session.finish_key(made.issued.vendor_id, made.fields, level_id, made.mark)
        assert bench.difference(made.fields, bench.find(made).fields) == {}

    # Finding things.

    def test_every_key_is_listed_however_many_there_are(self, bench: Bench) -> None:
        """No page is lost, and nothing is told twice, with more keys than a page holds."""
        if not bench.traits.lists_keys:
            pytest.skip("the product does not list keys")
        before = len(bench.observe().keys)
        self.subject.fill(bench.emulator, self.subject.many_keys)
        found = bench.observe()
        ids = [key.vendor_id for key in found.keys]
        assert len(ids) == before + self.subject.many_keys
        assert len(set(ids)) == len(ids)

    def test_somebody_elses_key_of_the_same_name_is_kept_apart(self, bench: Bench) -> None:
        """A key that somebody else made under the same name is never taken for ours, nor changed."""
        if not bench.traits.lists_keys:
            pytest.skip("the product does not list keys")
        level_id = bench.make_level()
        known = {key.vendor_id for key in bench.observe().keys}
        self.subject.foreign_key(bench.emulator, KEY)
        [foreign] = [key for key in bench.observe().keys if key.vendor_id not in known]
        assert foreign.mark is None
        mark = bench.mark()
        made: Made | None = None
        with contextlib.suppress(Rejected, Conflict, *self.subject_refuses()):  # names may be unique there
            made = bench.make_key(level_id, mark=mark)
        found = bench.session.find_key(KEY, mark)
        assert (found.vendor_id if found else None) == (made.issued.vendor_id if made else None)
        [again] = [key for key in bench.observe().keys if key.vendor_id == foreign.vendor_id]
        assert (again.fields, again.mark, again.level_id) == (foreign.fields, None, foreign.level_id)

    def subject_refuses(self) -> tuple[type[ReconcilerError], ...]:
        """What else a name that is taken may lead to: nothing, unless a subclass says so."""
        return ()

    def test_somebody_elses_level_of_the_same_name_is_kept_apart(self, bench: Bench) -> None:
        """A level that somebody else made under the same name is never taken for ours."""
        if not bench.declares_levels:
            pytest.skip("levels cannot be declared here")
        known = {level.vendor_id for level in bench.session.observe().levels}
        self.subject.foreign_level(bench.emulator, LEVEL)
        [foreign] = [level for level in bench.session.observe().levels if level.vendor_id not in known]
        assert foreign.mark is None
        assert bench.session.find_level(LEVEL, bench.mark()) is None

    def test_a_key_whose_creation_was_not_answered_is_found_by_its_mark(self, bench: Bench) -> None:
        """A lost answer is an unknown outcome; the request is not repeated, and the key is found afterwards."""
        if self.subject.key_creation is None:
            pytest.skip("keys are made by hand")
        level_id, mark = bench.make_level(), bench.mark()
        method, path = self.subject.key_creation
        for fault in ("reset-after", "error-after", "truncated"):
            before = bench.emulator.requests[f"{method} {path}"]
            mark = bench.mark()
            hit = bench.emulator.faults.inject(fault, method=method, path=path)
            name = f"{KEY}-{fault}"
            with pytest.raises(OutcomeUnknown):
                bench.make_key(level_id, name, mark=mark)
            assert (hit.hits, bench.emulator.requests[f"{method} {path}"] - before) == (1, 1)
            found = bench.session.find_key(name, mark)
            assert found is not None
            assert (found.mark, found.name) == (mark, name)
            assert bench.session.find_key(name, bench.mark()) is None

    def test_a_level_whose_creation_was_not_answered_is_found_by_its_mark(self, bench: Bench) -> None:
        """The same for levels."""
        if self.subject.level_creation is None:
            pytest.skip("levels are not made by API")
        method, path = self.subject.level_creation
        mark = bench.mark()
        bench.emulator.faults.inject("reset-after", method=method, path=path)
        with pytest.raises(OutcomeUnknown):
            bench.make_level(mark=mark)
        found = bench.session.find_level(LEVEL, mark)
        assert found is not None
        assert (found.mark, found.name) == (mark, LEVEL)

    def test_a_creation_that_never_happened_is_not_found(self, bench: Bench) -> None:
        """A reset before the vendor acted is an unknown outcome as well, and the look finds nothing."""
        if self.subject.key_creation is None:
            pytest.skip("keys are made by hand")
        method, path = self.subject.key_creation
        level_id, mark = bench.make_level(), bench.mark()
        bench.emulator.faults.inject("reset-before", method=method, path=path)
        with pytest.raises((OutcomeUnknown, RetryLater)):
            bench.make_key(level_id, mark=mark)
        assert bench.session.find_key(KEY, mark) is None

    # Going gently.

    def test_it_tells_what_it_is_told_of_its_own_credential(self, bench: Bench) -> None:
        """A planning session asks by reads, tells nobody the secret, and means the key that observing calls its own."""
        own = bench.connect(write=False)
        before = bench.sent()
        found = own.own_credential()
        assert bench.sent() > before
        assert found.key_id in {None, bench.session.observe().own_key_id}
        assert found.source
        assert found.expires is None or (found.tells_expiry and found.expires.tzinfo is not None)
        self._assert_no_secret(bench, [repr(found), repr(asdict(found))])

    def test_a_refused_credential_tells_nothing_of_itself(self, bench: Bench) -> None:
        """A credential that the vendor refuses is an error, and is not tried again."""
        bench.emulator.faults.inject("unauthorized", times=None)
        session = bench.connect(write=False)
        with pytest.raises(AuthenticationFailed):
            session.own_credential()
        sent = bench.sent()
        with pytest.raises(AuthenticationFailed):
            session.own_credential()
        assert bench.sent() == sent

    def test_it_says_what_answers_say_of_time(self, bench: Bench) -> None:
        """Whoever listens hears the vendor's time with every answer."""
        heard: list[Heard] = []
        bench.connect(write=False, on_answer=heard.append).observe()
        assert {one.date for one in heard} == {bench.clock.now()}

    def test_an_authentication_failure_is_not_tried_again(self, bench: Bench) -> None:
        """Failures lock keys: after the first one nothing more is sent, however often we are asked."""
        bench.emulator.faults.inject("unauthorized", times=None)
        before = bench.sent()
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                bench.session.observe()
        assert bench.sent() == before + 1
        assert bench.time.slept == []

    def test_the_vendors_rate_is_met_and_not_hit(
        self, open_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With as many calls as are allowed, none is refused, and hardly any turn is left unused."""
        most, window = 12, self.subject.provider.capabilities.rate.seconds
        bench = open_bench(limit=RateLimit(most, most))
        made = partial(pacing.Pacer, clock=bench.time.clock, sleep=bench.time.sleep)
        monkeypatch.setattr(pacing, "Pacer", made)
        session = bench.connect(rate=Allowance(most, window, 1.0))
        started, statuses = bench.time.clock(), len(bench.statuses)
        for _ in range(5 * most):
            session.observe()
        took = bench.time.clock() - started
        assert 429 not in bench.statuses[statuses:]
        assert took > 0, "a rate limit that is never met proves nothing"
        assert took <= math.ceil(session.calls / most) * window * 1.05

    def test_a_server_that_says_wait_is_waited_for(self, bench: Bench) -> None:
        """`Retry-After` is honoured, and the call is made again after it."""
        bench.emulator.faults.inject("rate-limited", retry_after=7)
        bench.session.observe()
        assert max(bench.time.slept) >= 7

    # Planning.

    def test_a_session_that_plans_reads_all_and_writes_nothing(self, bench: Bench) -> None:
        """A planning session observes as any other, and refuses every write before it is sent."""
        made, spare = bench.make_key(bench.make_level()), bench.make_level(OTHER_LEVEL)
        before = self._snapshot(bench, made)
        planning = bench.connect(write=False)
        known = () if bench.traits.lists_keys else (made.known,)
        assert planning.observe(known).keys == bench.observe(made).keys
        writes = dict(self._writes(bench, planning, made, spare))
        for name, write in writes.items():
            with pytest.raises((WriteRefused, InvalidInput, Rejected, Stopped)) as refused:
                write()
            by_api = name not in {str(one) for one in self._not_by_api(bench)}
            assert isinstance(refused.value, WriteRefused) or not by_api, name
        assert self._snapshot(bench, made) == before

    def test_the_guard_before_writes_is_asked_before_each_and_never_for_a_read(self, bench: Bench) -> None:
        """What stands before writes (the lease) can stop each of them, and is not asked for reads."""
        made, spare = bench.make_key(bench.make_level()), bench.make_level(OTHER_LEVEL)
        before = self._snapshot(bench, made)
        asked = []

        def guard() -> None:
            asked.append(1)
            raise Stopped("no lease")

        guarded = bench.connect(before_write=guard)
        guarded.observe(() if bench.traits.lists_keys else (made.known,))
        assert asked == []
        for name, write in self._writes(bench, guarded, made, spare):
            if name in {str(one) for one in self._not_by_api(bench)}:
                continue
            asked.clear()
            with pytest.raises(Stopped):
                write()
            assert asked == [1], name
        assert self._snapshot(bench, made) == before

    def test_what_is_sent_is_what_was_declared(self, bench: Bench) -> None:
        """Every request is in the provider's table of operations, or in the tenant's endpoint map."""
        made, spare = bench.make_key(bench.make_level()), bench.make_level(OTHER_LEVEL)
        bench.verify(made.issued)
        for _, write in self._writes(bench, bench.session, made, spare):
            with contextlib.suppress(ReconcilerError):
                write()
        operations = (bench.tenant.endpoint_map or {}).get("operations", {})
        declared = {_shape(one.request) for one in bench.provider.capabilities.operations}
        declared |= {_shape(f"{one['method']} {one['path']}") for one in operations.values()}
        assert {_shape(one) for one in bench.operations()} - declared == set()

    def test_calls_are_counted(self, bench: Bench) -> None:
        """A session knows how many requests it has sent."""
        before = bench.sent() - bench.session.calls
        bench.make_level()
        bench.session.observe()
        assert bench.session.calls == bench.sent() - before > 0

    # Secrets.

    def test_a_secret_is_in_no_representation(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        """What issuing gives, what is observed, what is logged and what is raised hold no secret."""
        caplog.set_level(logging.DEBUG)
        made, spare = bench.make_key(bench.make_level()), bench.make_level(OTHER_LEVEL)
        bench.verify(made.issued)
        seen = [repr(made.issued), str(made.issued), repr(bench.session), repr(vars(bench.session))]
        seen += [repr(bench.observe(made)), repr(asdict(bench.find(made)))]
        with pytest.raises(TypeError):
            pickle.dumps(made.issued)
        for fault in ("truncated", "cut-off", "html", "error-after", "forbidden", "unauthorized"):
            session = bench.connect()
            bench.emulator.faults.inject(fault, times=None)
            for _, write in self._writes(bench, session, made, spare):
                try:
                    write()
                except ReconcilerError as error:
                    seen += [repr(error), "".join(traceback.format_exception(error))]
            bench.emulator.faults.clear()
        self._assert_no_secret(bench, [*seen, caplog.text])

    def test_a_list_that_shows_secrets_is_stripped(self, open_bench: Callable[..., Bench]) -> None:
        """Where the product may show secrets in lists, they are gone before anybody can look."""
        bench = open_bench(variant=self.subject.leaky)
        made = bench.make_key(bench.make_level())
        found = bench.observe(made)
        self._assert_no_secret(bench, [repr(found), repr(asdict(found))])

    def test_a_fresh_secret_is_good_and_a_wrong_one_is_not(self, bench: Bench) -> None:
        """A new secret authenticates as its key; another one of the same shape does not."""
        made = bench.make_key(bench.make_level())
        assert bench.verify(made.issued) is Verification.GOOD
        wrong = bench.verify(bench.spoiled(made.issued))
        sure = self.subject.wrong_secret_is_certain
        assert wrong in ({Verification.BAD} if sure else {Verification.BAD, Verification.UNVERIFIABLE})
        assert bench.verify(made.issued) is Verification.GOOD

    def test_the_secret_says_where_it_belongs(self, bench: Bench) -> None:
        """What is stored for consumers has the secret itself and what goes with it, all of it text."""
        issued = bench.make_key(bench.make_level()).issued
        assert issued.vendor_id
        assert all(name and value for name, value in issued.secret.items() if isinstance(value, str))
        assert any(not isinstance(value, str) for value in issued.secret.values())

    def test_a_new_secret_ends_the_former_one(self, bench: Bench) -> None:
        """Where keys get new secrets in place, the former one is dead at once."""
        if not bench.traits.regenerates_in_place:
            pytest.skip("a key keeps its secret for life")
        made = bench.make_key(bench.make_level())
        if Write.REGENERATE_KEY in bench.traits.by_hand:
            step = Step(KEY, made.fields, made.mark, vendor_id=made.issued.vendor_id)
            again = bench.session.accept_key(bench.ask(Write.REGENERATE_KEY, step))
        else:
            again = bench.session.regenerate_key(made.issued.vendor_id)
        assert again.vendor_id == made.issued.vendor_id
        assert bench.verify(again) is Verification.GOOD
        assert bench.verify(made.issued) is not Verification.GOOD
        assert bench.find(made).mark == made.mark

    # Removing.

    def test_what_is_gone_counts_as_deleted(self, bench: Bench) -> None:
        """Deleting works, ends the secret, and is success when there is nothing left to delete."""
        level_id = bench.make_level()
        made = bench.make_key(level_id)
        if Write.DELETE_KEY in bench.traits.by_hand:
            bench.ask(Write.DELETE_KEY, Step(KEY, made.fields, made.mark, vendor_id=made.issued.vendor_id))
        else:
            bench.session.delete_key(made.issued.vendor_id)
            bench.session.delete_key(made.issued.vendor_id)
        assert bench.verify(made.issued) is not Verification.GOOD
        if bench.traits.lists_keys:
            assert made.issued.vendor_id not in {key.vendor_id for key in bench.observe().keys}
        if not bench.declares_levels:
            return
        if Write.DELETE_LEVEL in bench.traits.by_hand:
            bench.ask(Write.DELETE_LEVEL, Step(LEVEL, {}, bench.mark(), vendor_id=level_id))
        else:
            bench.session.delete_level(level_id)
            bench.session.delete_level(level_id)
        assert level_id not in {level.vendor_id for level in bench.session.observe().levels}

    def test_a_key_that_is_locked_does_not_work_until_it_is_unlocked(self, bench: Bench) -> None:
        """Locking ends authentication (or all that the key may do), and unlocking brings it back with the same secret."""
        made = bench.make_key(bench.make_level())
        if "state" not in made.fields:
            pytest.skip("keys cannot be locked")
        self._update(bench, made, {"state": "locked"})
        found = bench.find(made)
        assert bench.difference({**made.fields, "state": "locked"}, found.fields) == {}
        self._update(bench, made, {"state": "active"})
        assert bench.difference(made.fields, bench.find(made).fields) == {}
        assert bench.verify(made.issued) is Verification.GOOD

    # Helpers.

    def _update(self, bench: Bench, made: Made, changed: dict[str, object]) -> None:
        """Change a key as the core does: by API, by hand, or some of it by each."""
        traits = bench.traits
        by_hand = set(changed) if Write.UPDATE_KEY in traits.by_hand else set(changed) & traits.by_hand_fields
        bench.observe(made)
        if by_hand:
            fields = {**made.fields, **changed}
            step = Step(
                str(fields["name"]), fields, made.mark, vendor_id=made.issued.vendor_id, changed=frozenset(by_hand)
            )
            bench.ask(Write.UPDATE_KEY, step)
        rest = {name: value for name, value in changed.items() if name not in by_hand}
        if rest:
            level_id = made.level_id if rest.get("state") == "active" else None
            bench.session.update_key(made.issued.vendor_id, bench.whole(rest, made.fields), level_id, made.mark)

    def _writes(
        self, bench: Bench, session: Session, made: Made, spare: str
    ) -> Iterable[tuple[str, Callable[[], object]]]:
        """Every write that a session offers, each with what it is about. `spare` is a level that no key has."""
        key, fields = made.issued.vendor_id, made.fields
        if bench.declares_levels:
            level = bench.provider.level_fields(bench.wanted_level())
            other = bench.provider.level_fields(bench.wanted_level(OTHER_LEVEL))
            yield str(Write.CREATE_LEVEL), lambda: session.create_level("another", level, bench.mark())
            if not bench.traits.replaces_levels:
                yield str(Write.UPDATE_LEVEL), lambda: session.update_level(spare, other, bench.mark())
        yield (
            str(Write.CREATE_KEY),
            lambda: session.create_key("another", {**fields, "name": "another"}, made.level_id, bench.mark()),
        )
        for name, value in (("description", "Changed"), ("state", "locked")):
            if name in fields and name not in bench.traits.fixed | bench.traits.by_hand_fields:
                with contextlib.suppress(ReconcilerError):  # what a change needs to know, a plan has read before
                    session.observe(() if bench.traits.lists_keys else (made.known,))
                yield (
                    str(Write.UPDATE_KEY),
                    partial(session.update_key, key, bench.whole({name: value}, fields), None, made.mark),
                )
        if bench.traits.regenerates_in_place:
            yield str(Write.REGENERATE_KEY), lambda: session.regenerate_key(key)
        yield str(Write.DELETE_KEY), lambda: session.delete_key(key)
        if bench.declares_levels:
            yield str(Write.DELETE_LEVEL), lambda: session.delete_level(spare)

    def _not_by_api(self, bench: Bench) -> frozenset[Write]:
        return bench.traits.by_hand

    def _snapshot(self, bench: Bench, made: Made) -> object:
        found = bench.observe(made)
        return (
            sorted((one.vendor_id, repr(one.fields), one.level_id) for one in found.keys),
            sorted((one.vendor_id, repr(one.fields)) for one in found.levels),
        )

    def _assert_no_secret(self, bench: Bench, texts: Iterable[str]) -> None:
        everything = "\n".join(texts)
        assert not [True for secret in bench.secrets if secret in everything], "a secret can be read"


def _shape(request: str) -> str:
    """A request without the names of its parameters and without its query."""
    return re.sub(r"\{[^}]*\}", "{}", request.partition("?")[0]).rstrip("/")
