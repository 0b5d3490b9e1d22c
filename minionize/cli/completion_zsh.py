"""Completion for zsh: a file for ``$fpath``, which may also be sourced."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.cli.completion import Command, Option, Value

_SCRIPT = """\
#compdef {name}
# zsh completion for {name}. To keep it, in a directory of $fpath:
#   {name} --print-completion zsh > "${{fpath[1]}}/{function}"
{function}() {{
    local context state state_descr line
    typeset -A opt_args
{body}}}
if [[ $funcstack[1] == {function} ]]; then
    {function} "$@"
elif (( $+functions[compdef] )); then
    compdef {function} {name}
fi
"""


def script(command: Command) -> str:
    """Write the script."""
    body = "".join(f"    {line}\n" for line in _body(command))
    return _SCRIPT.format(name=command.name, function=command.function, body=body)


def _body(command: Command) -> Iterator[str]:
    if not command.verbs:
        yield from _arguments(command)
        return
    yield from _arguments(command, "-C", "'1: :->verb' '*:: :->rest'")
    yield "case $state in"
    yield "    verb)"
    yield "        local -a verbs"
    yield "        verbs=("
    yield from (f"            {_quoted(f'{verb.name}:{verb.help}')}" for verb in command.verbs)
    yield "        )"
    yield "        _describe verb verbs ;;"
    yield "    rest)"
    yield "        case $line[1] in"
    for verb in command.verbs:
        yield f"            {verb.name})"
        yield from (f"                {line}" for line in _arguments(verb))
        yield "                ;;"
    yield "        esac ;;"
    yield "esac"


def _arguments(command: Command, flags: str = "", rest: str = "") -> Iterator[str]:
    value = command.positional
    is_command = value is not None and value.what == "command"
    # What follows a minion's command, or a verb, are options of that.
    stop = "-A '-*'" if is_command or rest else ""
    yield " ".join(word for word in ("_arguments -s -S", flags, stop, "\\") if word)
    specs = [_option(option) for option in command.options]
    if is_command:
        specs += ["'(-):command:_command_names -e'", "'*::arguments:_normal'"]
    elif value is not None and value.what:  # a mere message would keep options from being put in
        specs.append(_quoted(f"{'*' if value.many else '1'}:{value.name}:{_action(value)}"))
    if rest:
        specs.append(rest)
    for spec in specs[:-1]:
        yield f"    {spec} \\"
    yield f"    {specs[-1]}"


def _option(option: Option) -> str:
    text = f"[{_escaped(option.help, '[]:')}]"
    if option.value is not None:
        text += f"{'::' if option.value.optional else ':'}{option.value.name}:{_action(option.value)}"
    # "--option=value" and "--option value", "-ovalue" and "-o value"
    forms = [
        flag if option.value is None else f"{flag}{'=' if flag.startswith('--') else '+'}" for flag in option.flags
    ]
    if len(forms) == 1:
        return _quoted(forms[0] + text)
    spellings = " ".join(option.flags)
    return f"'({spellings})'{{{','.join(forms)}}}{_quoted(text)}"


def _action(value: Value) -> str:
    if value.what == "files":
        return "_files"
    if value.what == "directories":
        return "_files -/"
    return f"({' '.join(value.words)})" if value.what == "words" else " "


def _escaped(text: str, special: str) -> str:
    text = text.replace("\\", "\\\\")
    for c in special:
        text = text.replace(c, "\\" + c)
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
