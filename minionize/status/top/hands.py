"""What keys do outside the screen: the queue's verbs, files, the pager, the clipboard."""

from __future__ import annotations

import os
import shlex
import subprocess
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.errors import UsageError
from minionize.masks import mask
from minionize.place import user
from minionize.status.safe import safe
from minionize.status.top.dialogs import Question
from minionize.status.top.export import exported, save
from minionize.status.top.verbs import VERBS, Plan, planned, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from minionize.status.top.app import Top
    from minionize.status.top.places import Place

_PAGERS = ("less", "more", "cat")


class Errand(NamedTuple):
    """A plan that was agreed to, where, and the marks whose rows it is about."""

    plan: Plan
    place: Place
    marks: frozenset[Hashable]


class Hands:
    """Acts for the program ``app``, on its marked rows or the one under the cursor."""

    def __init__(self, app: Top) -> None:
        """Belong to it."""
        self._app = app

    # ------------------------------------------------------------------ the queue

    def refused(self, key: str) -> str:
        """Say why a verb can do nothing here and now; empty for other keys."""
        app = self._app
        verb = next((verb for verb in VERBS if verb.key == key), None)
        shot = app.scene.shot if app.scene else None
        return refusal(verb, shot, app.places.view, app.readonly) if verb else ""

    def verb(self, key: str, answered: Callable[[Errand, str | Exception], None]) -> None:
        """Ask whether it is to be done, and have it done; ``answered`` is called in another thread."""
        app, why = self._app, self.refused(key)
        if why or app.scene is None:
            app.say(why)
            return
        verb = next(verb for verb in VERBS if verb.key == key)
        place = app.places.here
        plan = planned(verb, app.scene.shot, self._rows(), marked=bool(place.marks))
        if isinstance(plan, str):
            app.say(plan)
            return
        errand = Errand(plan, place, frozenset(place.marks if plan.of_rows else ()))

        def decided(is_yes: bool | None) -> None:
            if is_yes:
                app.say(f"{plan.verb.name.lower()}: asked the queue")
                app.clerk.do(plan.act, lambda outcome: answered(errand, outcome))

        app.push_screen(Question(plan, app.style), decided)

    def acted(self, errand: Errand, outcome: str | Exception) -> None:
        """Show and write down what came of it. Marks go with what was done to their rows, wherever one is by now."""
        app, plan = self._app, errand.plan
        failed = isinstance(outcome, Exception)
        text = str(outcome).partition("\n")[0] or type(outcome).__name__
        app.looker.journal.note(app.clock(), f"{user()}: {plan.command}: {text}", "red" if failed else "green")
        if not failed:
            errand.place.marks -= errand.marks
        app.say(text, "red" if failed else "green")
        app.look()

    def _rows(self) -> list[Any]:
        """Return the marked rows, else the current one."""
        app, marks = self._app, self._app.places.here.marks
        if app.scene is None:
            return []
        listing = app.scene.listing
        here = app.grid.key
        chosen = marks or {here}
        return [item for key, item in zip(listing.keys, listing.items, strict=True) if key in chosen]

    # ------------------------------------------------------------------ files

    def export(self, name: str) -> bool:
        """Write what is listed to a file, or hand it to the browser; False where another name is needed."""
        app = self._app
        if app.scene is None:
            return True
        try:
            text = exported(app.scene.shot, app.scene.listing, name)
            if app.is_web:
                app.deliver_text(StringIO(text), save_filename=os.path.basename(name), mime_type="text/plain")
            else:
                save(text, name)
        except UsageError as error:
            app.say(str(error), "red")
            return False
        app.say(f"{len(app.scene.listing.keys)} rows written to {name}", "green")
        return True

    def copy(self, what: str) -> None:
        """Copy the command or the param to the clipboard of the terminal. Nothing in it can press a key when it is pasted."""
        app, detail = self._app, self._app.detail
        text = {"command": detail.command, "param": detail.param}[what]
        if not text:
            app.say(f"there is no {what} here")
            return
        app.copy_to_clipboard(mask(text) if app.is_web else text)
        app.say(f"copied: {mask(text)}", "green")

    def page(self) -> None:
        """Show stderr in $PAGER, on the terminal itself."""
        app = self._app
        if app.is_web:
            app.say("there is no pager in a browser: Enter shows all of it")
            return
        if not app.detail.stderr:
            app.say("no stderr was kept of this")
            return
        text = "".join(safe(mask(line)) + "\n" for line in app.detail.stderr.splitlines())
        with app.suspend():
            problem = _paged(text)
        if problem:
            app.say(problem, "red")
        app.refresh()


def _paged(text: str) -> str:
    """Run the pager; returns what went wrong, if anything did."""
    given = os.environ.get("PAGER", "")
    try:
        commands = [shlex.split(given)] if given.strip() else [[pager] for pager in _PAGERS]
    except ValueError as error:
        return f"PAGER={given} is no command: {error}"
    why: OSError | None = None
    for command in commands:
        try:
            subprocess.run(command, input=text.encode(errors="backslashreplace"), check=False)
        except BrokenPipeError:
            pass  # it was left before it had read everything
        except OSError as error:
            why = error
            continue
        return ""
    return f"cannot run {commands[-1][0]}: {why.strerror if why else ''}"
