"""Completion for fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.cli.completion import Command, Option, Value


#: Tells whether no command has been typed yet: what stands behind it are its own options.
_BEFORE_COMMAND = """\
function {condition}
    set -l words (commandline -opc)[2..]
    while set -q words[1]
        switch $words[1]
            case {with_value}
                set words $words[3..]
            case '-*'
                set words $words[2..]
            case '*'
                return 1
        end
    end
end"""


def script(command: Command) -> str:
    """Write the script."""
    name = command.name
    head = [
        f"# fish completion for {name}. To keep it:",
        f"#   {name} --print-completion fish > ~/.config/fish/completions/{name}.fish",
        f"complete -c {name} -f",
    ]
    return "\n".join([*head, *_lines(command)]) + "\n"


def _lines(command: Command) -> Iterator[str]:
    name = command.name
    when = "__fish_use_subcommand" if command.verbs else ""
    if command.positional is not None and command.positional.what == "command":
        when = f"{command.function}_has_no_command"
        yield _BEFORE_COMMAND.format(condition=when, with_value=" ".join(command.flags_with_value))
    for option in command.options:
        yield _option(name, option, when)
    for verb in command.verbs:
        yield f"complete -c {name} -n {when} -a {verb.name} -d {_quoted(verb.help)}"
    for verb in command.verbs:
        seen = f"__fish_seen_subcommand_from {verb.name}"
        for option in verb.options:
            yield _option(name, option, seen)
        if verb.positional is not None and verb.positional.what:
            yield f"complete -c {name} -n {_quoted(seen)} {_argument(verb.positional, verb)}"
    if command.positional is not None and command.positional.what:
        yield f"complete -c {name} {_argument(command.positional, command)}"


def _option(name: str, option: Option, when: str) -> str:
    parts = [f"complete -c {name}"]
    if when:
        parts.append(f"-n {_quoted(when)}")
    parts += [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    if option.value is not None and not option.value.optional:
        # Given to "-x": what follows is a value, and not the name of a file unless it is said to be one.
        parts.append("-r -F" if option.value.what == "files" else "-x")
    if option.value is not None and option.value.what in ("words", "directories"):
        parts.append(_choice(option.value))
    parts.append(f"-d {_quoted(option.help)}")
    return " ".join(parts)


def _choice(value: Value) -> str:
    return f"-a {_quoted(' '.join(value.words))}" if value.what == "words" else "-a '(__fish_complete_directories)'"


def _argument(value: Value, command: Command) -> str:
    if value.what == "command":
        # The options that take a value are named, so that it is not taken for the command.
        flags = " ".join(command.flags_with_value)
        return f"-x -a {_quoted(f'(__fish_complete_subcommand -- {flags})')}"
    return "-F" if value.what == "files" else f"-x {_choice(value)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
