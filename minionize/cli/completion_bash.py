"""Completion for bash. It needs no bash-completion; where that is loaded, a minion's command is completed by its rules."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.cli.completion import Command, Value

_SCRIPT = """\
# bash completion for {name}. To keep it:
#   {name} --print-completion bash > ~/.local/share/bash-completion/completions/{name}
{function}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} at=1 verb=
    # "--option=value" comes as three words
    if [[ $cur == "=" ]]; then cur=; elif [[ $prev == "=" ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    # find the first word that is neither an option nor the value of one
    while ((at < COMP_CWORD)); do
        case ${{COMP_WORDS[at]}} in
            {with_value})
                if [[ ${{COMP_WORDS[at+1]}} == "=" ]]; then ((at += 3)); else ((at += 2)); fi ;;
            -*) ((at += 1)) ;;
            *) break ;;
        esac
    done
    COMPREPLY=()
{body}}}
complete -o nosort -F {function} {name}
"""
_OFFSET = """\
    if ((at < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then _command_offset "$at"; else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
    fi
"""


def script(command: Command) -> str:
    """Write the script."""
    lines: list[str] = []
    if command.verbs:
        lines.append("    if ((at < COMP_CWORD)); then verb=${COMP_WORDS[at]}; fi")
    body = "".join(line + "\n" for line in lines)
    if command.positional is not None and command.positional.what == "command":
        body += _OFFSET
    body += "".join(line + "\n" for line in _cases(command))
    with_value = [flag for one in (command, *command.verbs) for flag in one.flags_with_value]
    patterns = "|".join(dict.fromkeys(with_value)) or "--"
    return _SCRIPT.format(name=command.name, function=command.function, with_value=patterns, body=body)


def _cases(command: Command) -> Iterator[str]:
    """Write two choices: what a value is completed to, by the option before it; and else options or arguments, by the verb."""
    yield '    case "$verb $prev" in'
    for one, verb in ((command, ""), *((verb, verb.name) for verb in command.verbs)):
        for option in one.options:
            if option.value is not None and option.value.what:
                pattern = "|".join(shlex.quote(f"{verb} {flag}") for flag in option.flags)
                leave = "" if option.value.optional else "; return"
                yield f"        {pattern}) {_reply(option.value)}{leave} ;;"
            elif option.value is not None and not option.value.optional:
                yield f"        {'|'.join(shlex.quote(f'{verb} {flag}') for flag in option.flags)}) return ;;"
    yield "    esac"
    yield "    case $verb in"
    for one, verb in ((command, "''"), *((verb, verb.name) for verb in command.verbs)):
        yield f"        {verb})"
        yield f"            if [[ $cur == -* ]]; then {_words(one.flags)}"
        if one.verbs:
            yield f"            else {_words([verb.name for verb in one.verbs])}"
        elif one.positional is not None and one.positional.what:
            yield f"            else {_reply(one.positional)}"
        yield "            fi ;;"
    yield "    esac"


def _reply(value: Value) -> str:
    if value.what == "files":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    if value.what == "directories":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")'
    if value.what == "command":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -c -- "$cur" | sort -u)'
    return _words(value.words)


def _words(words: list[str] | tuple[str, ...]) -> str:
    return f'mapfile -t COMPREPLY < <(compgen -W {shlex.quote(" ".join(words))} -- "$cur")'
