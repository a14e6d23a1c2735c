"""`promote`: an adapter against the champion and against the untrained model, judged by the gate, and what follows.

Each arm has a fresh server of its own. A verdict is acted on last: the champion changes by one row of the history, a
rejected adapter leaves by one rename. Killed before that, the same command asks only what is missing, finds the same
verdict and acts on it; killed after, it finds that it has acted.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptforge.backends.trouble import ServerError
from promptforge.bench.evidence import Evidence, evidence, pooled
from promptforge.bench.gate import GateVerdict, gate, near
from promptforge.bench.gatepage import Training, VerdictPage, page_html, page_json, page_markdown, spread_of
from promptforge.bench.report.redact import Redactor
from promptforge.bench.run import Progress
from promptforge.bench.stats import overall
from promptforge.errors import BusyError, InputError
from promptforge.files import digest_of
from promptforge.store import Store
from promptforge.workbench.adapters import Adapter, read_adapter, unlike
from promptforge.workbench.candidates import Candidate, Wanted, contenders, trained
from promptforge.workbench.champions import Champion, champion_of, crown, last_change, point
from promptforge.workbench.contest import Bout, Contender, Serve, hold, witnesses
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.environment import now_utc
from promptforge.workbench.quarantine import (
    discard,
    grace_of,
    is_ours,
    place_for,
    place_of,
    quarantine,
    release_expired,
    sibling,
)

__all__ = ["Promotion", "Retrain", "promote"]

Retrain = Callable[[Adapter, int], Path]
"""Trains an adapter's recipe with another seed, of the same rows and settings or not at all; the new one's folder."""
_REPORTS = "build/reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What came of it."""

    page: VerdictPage | None
    """None where it was stopped before there was anything to judge."""
    champion: Champion | None = None
    """Who is champion now."""
    written: tuple[Path, ...] = ()
    """The files of the verdict."""
    stopped: str = ""
    """Why it was cut short, or nothing."""
    released: tuple[str, ...] = ()
    """What was deleted from quarantine, because its time was over."""


# --- the tournament ---------------------------------------------------------------------------------------------------


def promote(
    who: Candidate,
    wanted: Wanted,
    store: Store,
    environ: Mapping[str, str],
    *,
    serve: Serve,
    stop: threading.Event,
    retrain: Retrain | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
    entered: Callable[[str], None] = lambda stage: None,
    now: Callable[[], str] = now_utc,
) -> Promotion:
    """Ask all arms, judge, and act on the verdict. Raises what a server or a disk raises: then nothing was acted on.

    `entered` is told of each stage that begins: `before` (the untrained model and the champion are asked), `after` (a
    candidate is), `gate`, `act`.
    """
    root, config = who.contest.root, who.contest.revision.build.project.config
    point(store, root)  # a killed promotion may have left the pointer behind
    released = release_expired(root, grace_of(config), now=now(), besides=who.adapter.folder)
    for note in who.notes:
        say(note)
    arena = _Arena(who, store, environ, serve, stop, progress, say, entered)
    bouts, stopped = arena.hold_all(contenders(who))
    if stopped:
        return Promotion(page=None, stopped=stopped, released=released)
    entered("gate")
    judging = _Judging(who, store, bouts, wanted.draws, now)
    verdict = judging.verdict()
    if retrain is not None and who.seeds > 1 and near(verdict, who.bar):
        if stop.is_set():  # an hour of training is not what was wished for
            return Promotion(page=None, stopped="interrupted", released=released)
        say(f"{verdict.sentence} Training again with {who.seeds - 1} other seeds.")
        more, stopped = arena.hold_all(_again(who, retrain))
        judging.candidates += more
        if stopped:
            return Promotion(page=None, stopped=stopped, released=released)
        entered("gate")
        verdict = judging.verdict()
    entered("act")
    page = VerdictPage(
        verdict=verdict,
        evidence=judging.against,
        about=_about(who, bouts, now()),
        runs=judging.runs,
        trainings=judging.seeds,
    )
    return replace(_acted(who, judging.candidates[1:], wanted, store, page, now()), released=released)


@dataclass(frozen=True, slots=True)
class _Arena:
    """What every bout needs."""

    who: Candidate
    store: Store
    environ: Mapping[str, str]
    serve: Serve
    stop: threading.Event
    progress: Progress | None
    say: Callable[[str], None]
    entered: Callable[[str], None]

    def hold_all(self, contenders: Iterator[Contender]) -> tuple[list[Bout], str]:
        """One after another, and why it ended early, or nothing: after one that was cut short nobody else is asked."""
        bouts: list[Bout] = []
        for one in contenders:
            self.entered("after" if one.new else "before")
            self.say(f"{one.words}: starting its server")
            try:
                bouts.append(self._hold(one))
            except ServerError as problem:
                if problem.trouble != "stopped":
                    raise
                return bouts, "interrupted"  # while its server was starting
            if stopped := bouts[-1].run.stopped:
                return bouts, stopped
        return bouts, ""

    def _hold(self, one: Contender) -> Bout:
        contest, serve, stop = self.who.contest, self.serve, self.stop
        return hold(contest, one, self.store, self.environ, serve=serve, stop=stop, progress=self.progress)


def _again(who: Candidate, retrain: Retrain) -> Iterator[Contender]:
    """The same rows with other seeds, trained when its turn comes; what an earlier verdict put away is used once more.

    Raises InputError where it would be of other rows.
    """
    first = who.adapter
    for number in range(1, who.seeds):
        seed = (first.seed or 0) + number
        adapter = sibling(who.contest.root, first, seed) or read_adapter(retrain(first, seed))
        if other := unlike(first.made_of, adapter.made_of):
            message = f"'{adapter.folder.name}' is no further training of '{first.folder.name}': its {other} differ"
            raise InputError(message, hint=f"train it anew, and judge that: promptforge train {first.recipe}")
        yield trained(adapter, number + 1)


class _Judging:
    """The verdict on what the bouts showed, with its look at the suite counted."""

    def __init__(self, who: Candidate, store: Store, bouts: Sequence[Bout], draws: int, now: Callable[[], str]) -> None:
        self._who, self._store, self._draws, self._now = who, store, draws, now
        self.others, self.candidates = list(bouts[:-1]), [bouts[-1]]
        self.against: Evidence | None = None
        self.seeds: tuple[Training, ...] = ()
        """Each training by itself, where there were several."""
        run = bouts[-1].run
        self._hide = Redactor((*run.private_values, *(value for case in run.cases for value in case.private)))
        """What a server complains of may repeat what it was sent, and a verdict is read by others."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of all runs."""
        return tuple(bout.run.id for bout in (*self.others, *self.candidates))

    def verdict(self) -> GateVerdict:
        """What the gate says. Judging the same answers again is the same look."""
        base = self._evidence(self.others[0])
        champion = self._evidence(self.others[1]) if len(self.others) > 1 else None
        self.against = champion or base
        run = self.candidates[0].run
        look = (run.suite, run.suite_digest, _digest(self.against, self.candidates))
        self.seeds = tuple(self._seeds()) if len(self.candidates) > 1 else ()

        def at_look(number: int) -> GateVerdict:
            return gate(
                champion,
                base,
                witnesses(self.others, self.candidates),
                bar=self._who.bar,
                look=number,
                spread=spread_of(self.seeds),
                draws=self._draws,
            )

        found = at_look(self._store.look(*look))
        if not found.judged:
            return found
        counted = self._store.put_look(*look, at=self._now())
        return found if counted == found.look else at_look(counted)  # somebody else looked meanwhile

    def _evidence(self, other: Bout) -> Evidence:
        return pooled([self._of(other, one) for one in self.candidates])

    def _of(self, other: Bout, one: Bout) -> Evidence:
        found = evidence(other.contender.words, other.run, other.arm, one.run, one.arm)
        return replace(found, unanswered=tuple(map(self._hide, found.unanswered)))

    def _seeds(self) -> Iterator[Training]:
        """Each training by itself, against whom the candidate has to beat; none where nothing will be judged."""
        found = [self._of(self.others[-1], one) for one in self.candidates]
        if any(not one.pairs or one.unanswered or one.unreadable for one in found):
            return
        for bout, own in zip(self.candidates, found, strict=True):
            who = bout.contender
            effect = overall(own.pairs, draws=self._draws)
            yield Training(seed=who.seed, adapter=str(who.adapter), digest=who.digest, effect=effect)


def _digest(found: Evidence, candidates: Sequence[Bout]) -> str:
    """Of what was looked at: the same adapter with the same scores is no second look."""
    scores = sorted((pair.case, pair.before, pair.after) for pair in found.pairs)
    return digest_of(json.dumps([[one.contender.digest for one in candidates], scores]))


# --- what follows -----------------------------------------------------------------------------------------------------


def _about(who: Candidate, bouts: Sequence[Bout], at: str) -> dict[str, str]:
    run = bouts[-1].run
    champion = who.champion
    return {
        "model": who.contest.model.name,
        "adapter": str(who.adapter.folder),
        "digest": who.adapter.digest,
        "recipe": who.adapter.recipe,
        "against": f"champion {champion.number}, {champion.digest[:12]}" if champion else "the untrained model",
        "suite": f"{run.suite}, {run.suite_digest[:12]}",
        "at": at,
        **({"stale": who.stale} if who.stale else {}),
        **_prompts(bouts),
    }


def _prompts(bouts: Sequence[Bout]) -> dict[str, str]:
    """Which prompt each arm was sent, where they differ: then a difference is not the adapter's alone."""
    sent = {bout.contender.words: bout.contender.variant for bout in bouts}
    if len(set(sent.values())) == 1:
        return {}
    told = ", ".join(f"{words}: {variant}" for words, variant in sent.items())
    return {"prompts": f"{told}; what differs is the prompt as well as the adapter"}


def _acted(
    who: Candidate, others: Sequence[Bout], wanted: Wanted, store: Store, page: VerdictPage, at: str
) -> Promotion:
    """Act on a verdict, report it, and delete last: killed before that, the same command finds all that it needs."""
    root = who.contest.root
    acted, gone = _act(who, [bout.contender for bout in others], wanted, store, page, at)
    written = _write(root, who, acted)
    if gone is not None:
        discard(gone)
    return Promotion(page=acted, champion=champion_of(store, root, who.contest.model.name), written=written)


def _act(
    who: Candidate, others: Sequence[Contender], wanted: Wanted, store: Store, page: VerdictPage, at: str
) -> tuple[VerdictPage, Path | None]:
    """What was done, and what is to be deleted once that is written down."""
    gone: Path | None = None
    root, name, verdict = who.contest.root, who.contest.model.name, page.verdict
    back = f"promptforge champion rollback {name}"
    if verdict.verdict == "promote":
        if not who.reigns:
            after = _unchanged(who, store)
            crown(store, root, name, who.adapter, why=verdict.sentence, run=page.runs[-1], at=at, after=after)
        done = f"it is the champion of {name}; build/champions.yaml says where it is kept"
        page = replace(page, done=done, next_step=f"serve {name} with it from now on; to go back: {back}")
    elif who.reigns:
        done = "nothing: it is the champion already, and one verdict does not take that away"
        page = replace(page, done=done, next_step=f"where you trust this one more: {back}")
    elif verdict.verdict == "reject":
        _put_others_away(who, others, page, at)
        done, place = _put_away(who, wanted, page, at)
        gone = place if wanted.delete else None
        page = replace(page, done=done, next_step="look at the cases that broke, and at the mix of its recipe")
    else:
        stays = "the untrained model" if who.champion is None else "the champion"
        page = replace(page, done=f"nothing: {stays} stays, the adapter stays in {who.adapter.folder}")
    return page, gone


def _unchanged(who: Candidate, store: Store) -> int:
    """The last change of the champion. Raises BusyError where somebody promoted, or went back, since it was looked up.

    Between this and the promotion somebody else may do so, too: the history takes only one change after this one.
    """
    root, name = who.contest.root, who.contest.model.name
    last = last_change(store, name)
    now = champion_of(store, root, name)
    if (now.digest if now else "") != (who.champion.digest if who.champion else ""):
        message = f"the champion of '{name}' changed while '{who.adapter.folder.name}' was judged: nothing was done"
        raise BusyError(message, hint="run the same command again: only what is missing is asked")
    return last


def _put_others_away(who: Candidate, others: Sequence[Contender], page: VerdictPage, at: str) -> None:
    """The recipe's other trainings, which were judged with it. They go first: a kill leaves no other to be tried."""
    root, first = who.contest.root, who.adapter
    verdict = {**page_json(page), "beside": first.digest}
    goes = is_ours(root, first.folder) or place_of(root, first.folder)
    beside = place_for(root, first.folder, first.digest) if goes else None
    for one in others:
        if one.adapter is not None and is_ours(root, one.adapter):
            told = {**verdict, "adapter": str(one.adapter), "digest": one.digest}
            quarantine(root, one.adapter, told, page_markdown(page), at=at, beside=beside)


def _put_away(who: Candidate, wanted: Wanted, page: VerdictPage, at: str) -> tuple[str, Path | None]:
    """What was done with it, and where it is now; None where it is not ours to put anywhere."""
    root, folder = who.contest.root, who.adapter.folder
    place = place_of(root, folder)
    if place is None and not is_ours(root, folder):
        return f"nothing: {folder} is not in build/adapters, and is left where it is", None
    place = place or quarantine(root, folder, page_json(page), page_markdown(page), at=at)
    if wanted.delete:
        return "the adapter is deleted; the verdict is kept in build/reports", place
    config = who.contest.revision.build.project.config
    days = grace_of(config).total_seconds() / 86_400
    return f"the adapter is in quarantine, {place.relative_to(root)}, and is deleted after {days:g} days", place


def _write(root: Path, who: Candidate, page: VerdictPage) -> tuple[Path, ...]:
    """The verdict as three files. Raises WriteError."""
    name = f"promote-{who.contest.model.name}-{who.adapter.digest[:12]}"
    data = json.dumps(page_json(page), indent=1, ensure_ascii=False) + "\n"
    texts = {"html": page_html(page), "json": data, "md": page_markdown(page)}
    files = {
        root / _REPORTS / f"{name}.{form}": (text.encode("utf-8", "replace"), False) for form, text in texts.items()
    }
    with exclusive(root):
        replace_files(root, files)
    return tuple(files)
