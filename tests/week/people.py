"""The people of the week: they make campaigns, then act on them, and note what they did."""

from __future__ import annotations

import collections
import dataclasses

from tests.week.scenario import SECONDS

from dialer.campaign.moves import CampaignAction, MoveRefused
from dialer.store import accounts, campaigns, do_not_call, numbers
from dialer.store.account_records import NewListing
from dialer.store.errors import CampaignClosed, Refused
from dialer.store.records import CampaignSettings


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A deed that the service has acknowledged, and when."""

    at: object  # datetime
    what: str
    which: int  # id of the campaign or account, -1 for all accounts
    value: object = None


class People:
    """Plays the deeds of a scenario; `done` holds what was acknowledged, in its order."""

    def __init__(self, pool, clock, plan):
        self._pool = pool
        self._clock = clock
        self._plan = plan
        self.accounts = []  # ids
        self.campaigns = []  # (account's id, id)
        self.done = []
        self.refused = collections.Counter()
        self.on_deed = lambda: None

    async def prepare(self):
        """Make accounts, campaigns and the first portions of their lists, and start them."""
        for settings in self._plan.accounts:
            made = await accounts.create(self._pool, settings)
            self.accounts.append(made.id)
            self._note("minutes", made.id, settings.minutes)
            self._note("unique_users", made.id, settings.unique_users)
        for planned in self._plan.campaigns:
            account = self.accounts[planned.account]
            made = await campaigns.create(self._pool, account, CampaignSettings(**planned.settings))
            campaign = made.id
            self.campaigns.append((account, campaign))
            for at, portion in planned.portions:
                if at == 0.0:
                    await self._append(len(self.campaigns) - 1, portion)
            await campaigns.act(self._pool, account, campaign, CampaignAction.START)

    async def act(self):
        """Do what the scenario says, each at its time."""
        appends = [
            (at, index, portion)
            for index, planned in enumerate(self._plan.campaigns)
            for at, portion in planned.portions
            if at > 0
        ]
        deeds = [(deed.at, self._do, deed) for deed in self._plan.deeds]
        deeds += [(at, self._add, (index, portion)) for at, index, portion in appends]
        for at, act, what in sorted(deeds, key=lambda deed: deed[0]):
            if at >= SECONDS:
                break
            await self._clock.until(self._clock.at(at))
            await act(what)
            self.on_deed()

    async def _add(self, what):
        index, portion = what
        await self._append(index, portion)

    async def _append(self, index, portion):
        account, campaign = self.campaigns[index]
        for begin in range(0, len(portion), numbers.BATCH):
            try:
                batch = portion[begin : begin + numbers.BATCH]
                await numbers.add(self._pool, account, campaign, batch)
            except CampaignClosed:
                self.refused["append"] += 1

    async def _do(self, deed):
        if deed.what == "list":
            account = None if deed.which < 0 else self.accounts[deed.which]
            new = [NewListing(number) for number in deed.value]
            await do_not_call.add(self._pool, account, new, "person")
            self._note("list", -1 if account is None else account, deed.value)
        elif deed.what == "resume_all":
            for index in range(len(self.campaigns)):
                await self._move(index, "resume")
        elif deed.what.startswith("raise_"):
            account, name = self.accounts[deed.which], deed.what.removeprefix("raise_")
            await accounts.change(self._pool, account, {name: deed.value})
            self._note(name, account, deed.value)
        else:
            await self._move(deed.which, deed.what)

    async def _move(self, index, what):
        account, campaign = self.campaigns[index]
        action = CampaignAction(what.partition("_")[0])
        asked = self._clock.now()
        try:
            await campaigns.act(
                self._pool, account, campaign, action, hang_up=what.endswith("hang_up")
            )
        except (MoveRefused, Refused):
            self.refused[what] += 1
        else:
            # a resume lets calls go before it is acknowledged, a pause is in force only then
            at = asked if action is CampaignAction.RESUME else self._clock.now()
            self.done.append(Done(at, action.value, campaign))

    def _note(self, what, which, value):
        self.done.append(Done(self._clock.now(), what, which, value))

    def stops(self):
        """From when to when, None for good, people had stopped campaigns: (campaign, from, to)."""
        found, since = [], {}
        for done in self.done:
            if done.what == "pause":
                since.setdefault(done.which, done.at)
            elif done.what == "resume" and done.which in since:
                found.append((done.which, since.pop(done.which), done.at))
            elif done.what == "finish":
                found.append((done.which, since.pop(done.which, done.at), None))
        return tuple(found + [(which, at, None) for which, at in since.items()])

    def limits(self, name):
        """By account, when its minutes or unique users became how many."""
        found = collections.defaultdict(list)
        for done in self.done:
            if done.what == name:
                found[done.which].append((done.at, done.value))
        return dict(found)

    def listed(self):
        """Who was put on the do-not-call list: (account or None, number, when)."""
        return [
            (None if done.which < 0 else done.which, number, done.at)
            for done in self.done
            if done.what == "list"
            for number in done.value
        ]
