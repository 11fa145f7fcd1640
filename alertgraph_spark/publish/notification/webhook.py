"""One webhook: its address, which is a secret, and a call that is repeated as long as that may help."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from alertgraph_spark.access.hosts import is_webhook
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.publish.http_post import Response, Transport, is_passing, post, wait_seconds

logger = logging.getLogger(__name__)

_HEADERS = {"Content-Type": "application/json", "User-Agent": "alertgraph-spark"}

_HOSTS = {
    "teams": "a workflow of Teams, at a host of logic.azure.com or environment.api.powerplatform.com",
    "slack": "an incoming webhook at hooks.slack.com",
    "json": "notify.host",
}

_OF_THE_MESSAGE = {
    400: "the receiver does not take this message; check notify.form",
    413: "the receiver finds this message too large",
    422: "the receiver does not take this message; check notify.form",
}
_OF_THE_ADDRESS = {
    401: "the receiver asks for a sign-in: let the workflow be triggered by anyone, and renew the secret of notify.url",
    403: "the receiver refuses the address: it was revoked, or posting is not allowed there; renew the secret of notify.url",
    404: "no such webhook: it was removed, or its workflow is turned off; renew the secret of notify.url",
    410: "the webhook or its channel is gone; renew the secret of notify.url",
}


class Outcome(NamedTuple):
    """What became of a call: taken where `error` is empty; `is_of_message` where another message may be taken."""

    error: str = ""
    is_of_message: bool = False


@dataclass(frozen=True)
class Webhook:
    """The settings under `notify`, by their names, and what turns a reference into the secret.

    `clock` is monotonic and `jitter` in [0, 1): both and `sleep` are parameters so that a test can take their place.
    """

    reference: str
    form: str
    resolve: Callable[[str], Secret]
    host: str | None = None
    link: str | None = None
    transport: Transport = post
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    deadline_seconds: float = 300.0
    timeout_seconds: float = 30.0

    def url(self) -> Secret:
        """Look up the address and check it.

        Returns
        -------
        Secret
            The address.

        Raises
        ------
        ConfigError
            If there is no secret, or the secret is no address of the form's own hosts. The message does not repeat it.
        """
        url = self.resolve(self.reference)
        if not is_webhook(url.reveal(), self.form, self.host):
            wanted = self.host or _HOSTS[self.form]
            raise ConfigError(
                f"notify.url: what {self.reference} names is no https address of {wanted}; name another by notify.host"
            )
        return url

    def send(self, url: Secret, body: bytes) -> Outcome:
        """Call it until the message is taken, is refused, or the deadline would pass.

        Of a call whose answer is lost nobody knows whether it was heard: it is repeated, and may be told twice.
        """
        give_up_at = self.clock() + self.deadline_seconds
        for attempt in itertools.count():
            timeout = max(0.1, min(self.timeout_seconds, give_up_at - self.clock()))
            try:
                response = self.transport(url.reveal(), _HEADERS, body, timeout)
            except PublishError as error:
                return Outcome(str(error))
            if _is_taken(response, self.form):
                return Outcome()
            said = _named(response)
            if not is_passing(response):
                return _refusal(response, said)
            wait = wait_seconds(response, attempt, self.jitter())
            if self.clock() + wait > give_up_at:
                return Outcome(f"{said} after {attempt + 1} attempts, for {self.deadline_seconds:.0f} s")
            logger.warning("%s, attempt %d; next in %.1f s", said, attempt + 1, wait)
            self.sleep(wait)
        raise AssertionError("unreachable: count() does not end")


def _is_taken(response: Response, form: str) -> bool:
    """Tell whether an answer is the receiver's yes: a proxy's login page answers 200 too."""
    if form == "slack":
        return response.status == 200 and response.code == "ok"
    is_page = response.headers.get("content-type", "").startswith("text/html")
    return response.status in (200, 201, 202, 204) and not is_page


def _named(response: Response) -> str:
    status = str(response.status) if response.status else "connection broken"
    return f"webhook: {status}{f' ({response.code})' if response.code else ''}"


def _refusal(response: Response, said: str) -> Outcome:
    known: Mapping[int, str] = _OF_THE_MESSAGE | _OF_THE_ADDRESS
    remedy = known.get(response.status, "not an answer of a webhook; check notify.url, notify.form and the proxy")
    return Outcome(f"{said}: {remedy}", response.status in _OF_THE_MESSAGE)
