# SPDX-License-Identifier: Apache-2.0
"""What a drain says of its host: before, when it is closed, at the end."""

from collections.abc import Sequence
import typing
from typing import Any

from osc_migrate.osc import access
from osc_migrate.osc import options
from osc_migrate.osc import typed
from osc_migrate.osc import voice as voices

if typing.TYPE_CHECKING:
    from osc_migrate import drain as drain_module
    from osc_migrate import limits as limits_module
    from osc_migrate import planner
    from osc_migrate import probe as probe_module
    from osc_migrate import reservation as reservation_module
    from osc_migrate import token as token_module
    from osc_migrate import topology


def show(
    emptying: 'drain_module.Drain', plan: 'planner.Plan', voice: voices.Voice
) -> None:
    """Say whose drain this joins, what cannot move and what is not known."""
    from osc_migrate import report

    if emptying.token is not None:
        voice.say(_joining(emptying.host.name, emptying.token), 'joined')
    for name, host in emptying.away.items():
        voice.say(f'{name} is on {host or "no host"} already')
    for gap in plan.report.gaps:
        voice.say(f'Unknown: {gap.subject}: {gap.reason} ({gap.remedy})')
    for line in report.stranded(plan.stranded, options.overriding):
        voice.say(line, 'stays')


def outlook(plan: 'planner.Plan', limits: 'limits_module.Limits') -> str:
    """Say how long a plan would take."""
    from osc_migrate import report
    from osc_migrate import schedule

    slots = schedule.foresee(plan, limits)
    rounds = max((slot.round for slot in slots), default=0)
    text = (
        f'{len(slots)} move{"" if len(slots) == 1 else "s"} in {rounds} '
        f'round{"" if rounds == 1 else "s"}'
    )
    seconds = schedule.end(slots)
    if not slots or seconds is None:
        return text
    return (
        f'{text}, about {report.duration(seconds)} if links of 1 Gbit/s are '
        'free and guests write little'
    )


def close(
    emptying: 'drain_module.Drain',
    voice: voices.Voice,
    user: str,
    *,
    reason: str,
) -> None:
    """Disable the host, or say whose drain this one joins."""
    host = emptying.host.name
    known = emptying.token
    token = emptying.close(user=user, reason=reason)
    kept = known.reserves if known is not None else None
    if kept is not None and token.reserves != kept:
        text = f'{kept.host} is not reserved any more, and what it was before'
        voice.say(text, 'reservation', host=kept.host)
    if not emptying.is_joined:
        voice.say(
            f'{host} is disabled: {token}',
            'disabled',
            host=host,
            request_id=emptying.request_id,
        )
    elif known is None:
        # somebody began while this one was being agreed to
        voice.say(_joining(host, token), 'joined')
    lost = unkept(token, reason, is_joined=emptying.is_joined)
    if lost:
        voice.say(lost)


def unkept(
    token: 'token_module.Token', reason: str, *, is_joined: bool
) -> str:
    """Say that the mark of a drain does not have a reason that was given.

    :param is_joined: whether the host had the mark before
    """
    if reason in ('', token.reason):
        return ''
    if is_joined:
        other = f'another: {token.reason}' if token.reason else 'none'
        return f'--reason is not kept: the drain that goes on has {other}'
    other = f': {token.reason}' if token.reason else ', without a reason'
    return (
        '--reason is not kept: somebody else had disabled the host, and finds '
        f'it so again after the drain{other}'
    )


def _joining(host: str, token: 'token_module.Token') -> str:
    why = f' ({token.reason})' if token.reason else ''
    return (
        f'{host} is being drained by {token.user} since {token.since}{why}: '
        'going on with that'
    )


def compared(
    cloud: Any,
    emptying: 'drain_module.Drain',
    result: 'drain_module.Result',
    *,
    ssh: 'probe_module.Ssh | None',
) -> 'topology.Proof':
    """Compare what the servers that were moved had with what they have.

    :param ssh: the way to ask hosts again, if they were asked before
    """
    from osc_migrate import proof

    snapshot = emptying.snapshot

    def ask(names: Sequence[str]) -> proof.Probes:
        from osc_migrate import probe

        return probe.with_probes(snapshot, names, ssh).probes

    return proof.gather(
        cloud, result.tasks, emptying.before, snapshot=snapshot, ask=ask
    )


def prove(proof: 'topology.Proof', voice: voices.Voice) -> None:
    """Say what the moves changed for servers with a topology."""
    from osc_migrate import topology

    lines = topology.lines(proof)
    if lines:
        voice.say('\n'.join(lines))
    for one in proof.comparisons:
        voice.write('comparison', **topology.document(one))
    for load in proof.loads:
        voice.write('load', **topology.document(load))


def release(
    kept: 'reservation_module.Reservation', voice: voices.Voice
) -> None:
    """Say what a destination is, now that it is not reserved any more."""
    if kept.said:
        voice.say(kept.said, 'reservation', host=kept.host)


def conclude(
    result: 'drain_module.Result',
    voice: voices.Voice,
    *,
    words: Sequence[str] = (),
    kept: 'reservation_module.Reservation | None' = None,
    is_closed: bool = False,
    is_worse: bool = False,
) -> int:
    """Say how a drain ended, and return the exit code.

    :param words: all that was typed
    :param kept: the destination that was reserved, if one was
    :param is_closed: whether the host has the mark of the drain
    :param is_worse: whether a move changed what must not get worse
    """
    from osc_migrate import report

    _tell_leftovers(result, voice)
    code, last = _end(result, typed.again(words), is_closed=is_closed)
    if kept is not None and kept.strangers:
        beside = typed.again(words, without='--reserve')
        code, last = access.LEFT, kept.warning(beside)
    if is_worse and code == access.EMPTY:
        code = access.LEFT
        last += '; but something got worse (--strict-topology)'
    counts = f'{result.host}: {report.summary(result.tasks)}'
    voice.say(
        f'{counts}\n{last}' if last else counts,
        'end',
        host=result.host,
        exit_code=code,
        moved=sum(task.phase == 'done' for task in result.tasks),
        remaining=len(result.leftovers),
    )
    return code


def _tell_leftovers(
    result: 'drain_module.Result', voice: voices.Voice
) -> None:
    from osc_migrate import report

    for left in result.leftovers:
        text = f'Left: {left.kind} {left.name or left.id}: {left.message}'
        voice.say(
            report.with_remedy(text, left.remedy),
            'leftover',
            kind=left.kind,
            id=left.id,
            name=left.name,
            reason=left.message,
            remedy=left.remedy or None,
            is_expected=left.is_expected,
        )
    here = {one.id for one in result.leftovers}
    for task in result.tasks:
        if task.phase in ('failed', 'stuck') and task.server_id not in here:
            text = f'Failed: server {task.name}: {task.reason}'
            voice.say(
                report.with_remedy(text, task.remedy),
                'broken',
                id=task.server_id,
                name=task.name,
                reason=task.reason,
                remedy=task.remedy or None,
            )


def _end(
    result: 'drain_module.Result', resume: str, *, is_closed: bool
) -> tuple[int, str]:
    """Return the exit code, and a sentence."""
    host = result.host
    if result.is_reopened:
        return access.UNFINISHED, (
            f'Somebody has enabled {host}, so it is not emptied any further. '
            f'To drain it again: {resume}'
        )
    if result.is_interrupted:
        undo = f'\nTo open it again: openstack compute undrain {host}'
        return access.UNFINISHED, (
            f'Interrupted. To go on: {resume}{undo if is_closed else ""}'
        )
    if not result.is_empty or not result.is_clean:
        return access.LEFT, ''
    if not result.is_everything:
        return access.EMPTY, f'Nothing of what was chosen is left on {host}'
    if result.leftovers:
        return access.EMPTY, ''
    proof = f'{host} is empty: no server, no migration, no allocation'
    return access.EMPTY, proof
