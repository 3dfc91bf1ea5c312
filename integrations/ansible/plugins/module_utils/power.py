"""What a task does to machines: first what it would do to each, then the orders to those that need one."""

from .argo import ArgoError, Exact, State, TimedOut, Uncertain, portions, protocol

#: The order for each state that a task can ask for, and the state in which there is nothing to wait for any more.
ORDERS = {
    "started": ("start", State.ON),
    "stopped": ("stop", State.OFF),
    "restarted": ("reboot", None),
    "paused": ("pause", State.PAUSED),
    "unpaused": ("unpause", State.ON),
    "suspended": ("suspend", State.SUSPENDED),
    "resumed": ("resume", State.ON),
}
#: Failures that are told in the message; all are in the result.
MOST_TOLD = 5


class Task:
    """One task on what names select. All of it is in `instances`, a dictionary each by name.

    wait: seconds until each machine must say that it is so; None where acceptance is enough. Raises BadRequest where that is no time.
    """

    def __init__(self, client, state, names, force=False, clean=None, wait=None):
        self._client = client
        self._action, self._goal = ORDERS[state]
        self._names = names
        self._force = force
        self._clean = clean
        self._wait = wait
        if wait is not None:
            # where nothing is ordered, such as in check mode, nobody else would say so
            protocol.seconds(wait)
        self._waited_for = []
        self.instances = {}
        self.remarks = []

    def plan(self):
        """Raises an ArgoError where it is refused as a whole."""
        for names in portions(self._names):
            try:
                plans = self._client.plans(self._action, names, self._force, self._clean, self._wait)
            except ArgoError as error:
                # one plain name has no line of its own
                if error.reply is None or not error.reply.accepted or len(self._names) > 1:
                    raise
                self.instances[str(names[0])] = _failure(error, False)
                continue
            if plans.remark:
                self.remarks.append(plans.remark)
            for name, plan in plans.items():
                self._add(name, plan)

    def _add(self, name, plan):
        if name in self.instances:
            # names in several portions may select it
            return
        if isinstance(plan, ArgoError):
            self.instances[name] = _failure(plan, False)
            return
        # what another action is about to make of it is not known: the order waits for its turn behind that
        acts = plan.changes or plan.is_held
        self.instances[name] = {"plan": plan.text, "before": str(plan.state), "changed": acts, "failed": False, "uncertain": False}
        if acts or plan.state is not self._goal:
            self._waited_for.append(Exact(name))

    def carry_out(self):
        """Orders what was planned. A machine that is on its way already is waited for, and not changed."""
        for names in portions(self._waited_for):
            try:
                outcomes = self._client.orders(self._action, names, self._wait, self._force, self._clean)
            except ArgoError as error:
                outcomes = dict.fromkeys(names, error)
            for name in names:
                # what the answer does not tell is not known
                error = outcomes.get(name, Uncertain("the answer does not tell"))
                if error is not None:
                    is_untold = len(names) > 1 and error.reply is not None and error.reply.accepted
                    self.instances[name].update(_failure(error, is_untold or isinstance(error, (Uncertain, TimedOut))))

    @property
    def changed(self):
        return any(one["changed"] for one in self.instances.values())

    @property
    def diff(self):
        return "".join("%s: %s\n" % (name, one["plan"]) for name, one in sorted(self.instances.items()) if one["changed"])

    @property
    def failures(self):
        return {name: one for name, one in self.instances.items() if one["failed"]}

    @property
    def message(self):
        """Why it has failed; None where it has not."""
        failures = self.failures
        if not failures:
            return None
        told = ["%s: %s" % (name, _words(one)) for name, one in sorted(failures.items())]
        more = len(told) - MOST_TOLD
        return "%d of %d: %s%s" % (len(told), len(self.instances), "; ".join(told[:MOST_TOLD]), "; and %d more" % more if more > 0 else "")


def _failure(error, is_uncertain):
    """is_uncertain: an order was sent, and nobody has said what became of it."""
    return {"changed": False, "failed": True, "uncertain": is_uncertain, "phrase": error.phrase, "detail": error.detail}


def _words(one):
    return ": ".join(part for part in (one["phrase"], one["detail"]) if part)
