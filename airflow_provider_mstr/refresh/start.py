# SPDX-License-Identifier: Apache-2.0
"""Starts a job once: waits for other jobs, and finds out what became of a start without an answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Generic

from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.options import WhenBusy
from airflow_provider_mstr.refresh.spec import J, JobSpec, StartContext
from airflow_provider_mstr.rest.endpoints.auth import logout
from airflow_provider_mstr.rest.endpoints.cubes import Cube
from airflow_provider_mstr.rest.endpoints.search import get_object_name
from airflow_provider_mstr.rest.errors import (
    InstanceExpired,
    InvalidResponse,
    ModelBusy,
    MstrError,
    ServerUnavailable,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow, Pause

# An object that another job refreshed is free once its cube was seen idle so often, so many seconds apart.
IDLE_POLLS = 2
BUSY_PAUSE = 5.0

# Seconds after which an update of a cube in the past can be distinguished from the next one.
SETTLE_PAUSE = 4.0

# Seconds for which the logout of a session is retried if its load must stop.
CLOSE_SECONDS = 60.0


def start_job(spec: JobSpec[J], job: J, context: StartContext) -> Flow[J]:
    """Start a load once, as soon as no other job refreshes the object, and return the job as it then is.

    :param spec: what to refresh
    :param job: the job that was opened
    :param context: what the start needs from its caller
    :raises ModelBusy: if another job refreshes the object, and does not end in time
    :raises OutcomeUnknown: if nothing shows whether the load has started
    """
    job = yield from spec.prepare(job)
    return (yield from _Start(spec, context, context.clock() + spec.timeout).start(job))


@dataclass
class _Start(Generic[J]):
    """One start.

    :param spec: what to refresh
    :param context: what the start needs from its caller
    :param until: when the wait for another job ends, in seconds since the epoch
    """

    spec: JobSpec[J]
    context: StartContext
    until: float
    _is_wait_logged: bool = field(default=False, init=False)
    _is_start_logged: bool = field(default=False, init=False)
    _name: str = field(default="", init=False)

    def start(self, job: J) -> Flow[J]:
        while True:
            try:
                job = yield from self._send_once(job)
            except ModelBusy as busy:
                job = self._named(job)
                self.context.on_progress(job.without_start())
                yield from self._wait(job, busy)
                continue
            self._log_wait_end(job)
            accepted = yield from self._unless_rejected(job)
            self._log_wait_end(job)
            if accepted is not None:
                self.context.on_progress(accepted, accepted=True)
                return accepted
            self.context.log("The server rejected the publish because of the other job; publishing again")
            job = yield from self.spec.renew(job)

    def _send_once(self, job: J) -> Flow[J]:
        """Send the start; send it once more if the first one did nothing.

        :raises OutcomeUnknown: if nothing shows whether the load has started
        """
        for is_last in (False, True):
            job = yield from self._with_last_update(job)
            if not self._is_start_logged:
                self._log_wait_end(job)
                self.spec.log_start(job, self.context.log)
            self._is_start_logged = True
            self.context.on_progress(job)
            sent = yield from self._send(job)
            if not isinstance(sent, MstrError):
                job = sent
                break
            was_refused = isinstance(sent, InstanceExpired)
            has_started = False if was_refused else (yield from self._find_out(job, sent))
            if has_started:
                break
            if is_last:
                raise sent if has_started is False else job.start_unknown(sent)
            if has_started is False:
                self.context.log("The load has not started; publishing again in a new instance")
                job = yield from self.spec.renew(job)
            else:
                job = yield from self._in_new_session(job, sent)
        # A slow server may begin long after the request was sent.
        return job.with_start(self.context.clock(), job.last_update, job.concurrent_refresh)

    def _send(self, job: J) -> Flow[J | MstrError]:
        """Send the start; return the job, or the error if no valid answer came or the instance is gone."""
        try:
            return (yield from self.spec.send(job))
        except (InstanceExpired, InvalidResponse) as error:
            return error
        except ServerUnavailable as error:
            if error.nothing_done:
                raise
            return error

    def _with_last_update(self, job: J) -> Flow[J]:
        """Return the job with its object's name and last update.

        :raises ModelBusy: if its cube is in use
        """
        last_update = NO_LAST_UPDATE
        if self.spec.verify_last_update or self.spec.needs_idle_cube:
            last_update = LastUpdate(job.project_id, job.cube_id)
        cube = yield from last_update.read(job.session)
        if self.spec.needs_idle_cube and cube is not None and not cube.settled:
            yield Pause(SETTLE_PAUSE)
            cube = yield from last_update.read(job.session)
        yield from self._find_name(job, cube)
        job = self._named(job)
        is_processing = cube is not None and cube.processing
        if is_processing and self.spec.needs_idle_cube:
            raise ModelBusy(f"another job is publishing {job.name}")
        last_update = last_update.at(cube)
        if not self.spec.verify_last_update:
            last_update = last_update.without_comparison()
        return job.with_start(self.context.clock(), last_update, is_processing)

    def _named(self, job: J) -> J:
        return replace(job, object_name=self._name or job.object_name)

    def _find_name(self, job: J, cube: Cube | None) -> Flow[None]:
        """Read the object's name: from its own cube, which shows it; or if it is not known at all."""
        if cube is not None and cube.name and job.cube_id == job.object_id:
            self._name = cube.name
        elif not (job.object_name or self._name):
            with suppress(MstrError):
                self._name = yield from get_object_name(job.session, job.project_id, job.object_id)

    def _find_out(self, job: J, lost: MstrError) -> Flow[bool | None]:
        self.context.log(lost.problem)
        self.context.log("The publish got no valid answer; checking whether the load has started")
        try:
            has_started = yield from job.has_started(self.context.clock)
        except SessionExpired:
            return None
        if has_started:
            self.context.log("The load has started; waiting for it")
        return has_started

    def _in_new_session(self, job: J, lost: MstrError) -> Flow[J]:
        """Close the session, which stops all that runs in it, and return the job in a new one.

        :raises OutcomeUnknown: if the session cannot be closed, or a load may have ended in it
        """
        if not self.context.owns_session or (job.adds_rows and not job.last_update.is_comparable):
            raise job.start_unknown(lost)
        self.context.log(
            "Closing the session, which stops a load that may run; publishing again in a new session"
        )

        first = job

        def on_progress(job: Job, accepted: bool = False) -> None:  # pragma: no mutate - not read
            # Until the cube shows that nothing was loaded, a later attempt must know of the start.
            self.context.on_progress(first.in_session(job.session))

        try:
            yield from logout(first.session, CLOSE_SECONDS)
            context = replace(self.context, on_progress=on_progress, warn=None)
            reopened = yield from self.spec.reopen(first, context)
            cube = yield from first.last_update.read(reopened.session)
        except MstrError as error:
            raise first.start_unknown(error) from error
        is_unclear = first.adds_rows and (cube is None or cube.processing)
        if is_unclear or first.last_update.is_older_than(cube):
            raise reopened.start_unknown(lost)
        return reopened

    def _unless_rejected(self, job: J) -> Flow[J | None]:
        """Return what was started; None if it was rejected for another job, which has ended."""
        idle = 0
        while (yield from job.is_busy()):
            job = job.with_start(job.started_at, job.last_update, concurrent_refresh=True)
            cube = yield from job.last_update.read(job.session)
            if cube is None and self.spec.when_busy is WhenBusy.WAIT:
                # Only polling can show whether this publish waits for the other job or was rejected for it.
                break
            idle = idle + 1 if cube is not None and not cube.processing else 0
            if idle == IDLE_POLLS:
                return None
            yield from self._wait(job, ModelBusy(f"another job is publishing {job.name}"))
        return job

    def _wait(self, job: J, busy: ModelBusy) -> Flow[None]:
        """Wait for another job, for a while.

        :raises ModelBusy: if there is no more waiting
        """
        if self.spec.when_busy is WhenBusy.FAIL:
            busy.advice = (
                'Set when_busy="wait" to wait for that job, or let only one task refresh this object.'
            )
            raise busy
        if self.context.clock() >= self.until:
            busy.what += f"; it did not end within {self.spec.timeout:g} s"
            busy.advice = "Increase timeout, or let only one task refresh this object."
            raise busy
        if not self._is_wait_logged:
            job.log_busy(self.context.log, is_busy=True)
        self._is_wait_logged = True
        yield Pause(BUSY_PAUSE)

    def _log_wait_end(self, job: J) -> None:
        if self._is_wait_logged:
            job.log_busy(self.context.log, is_busy=False)
        self._is_wait_logged = False  # pragma: no mutate - None means the same
