"""
Completion of command lines for bash, zsh and fish.
"""

from __future__ import annotations

from collections.abc import Iterator

from shown import ShownCommand, ShownOption, commands, daemon

_WRITTEN = "# Written by .ci/tables from sttproxy/options.py."


def _all() -> list[ShownCommand]:
    return [daemon(), *commands()]


def _brief(command: ShownCommand) -> str:
    """What a command does, in a few words."""
    return command.text.partition(".")[0].partition(":")[0]


# bash


def bash() -> Iterator[str]:
    """The file for bash, which needs no bash-completion."""
    yield _WRITTEN
    yield "_sttproxy() {"
    yield '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= options="" files='
    yield "    # Bash takes the equals sign of --option=value as a word of its own."
    yield "    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi"
    yield "    COMPREPLY=()"
    yield "    (( COMP_CWORD > 1 )) && command=${COMP_WORDS[1]}"
    yield "    case $command in"
    for command in [*_all()[1:], _all()[0]]:
        yield f"    {command.name or '*'})"
        yield f'        options="{" ".join(name for option in command.options for name in option.names)}"'
        if command.files:
            yield "        files=yes"
        yield "        case $prev in"
        for option in command.options:
            if option.placeholder:
                yield f"        {'|'.join(option.names)}) {_bash_values(option)}; return ;;"
        yield "        esac ;;"
    yield "    esac"
    yield "    if [[ $cur == -* ]]; then"
    yield '        COMPREPLY=($(compgen -W "$options" -- "$cur"))'
    yield "    elif (( COMP_CWORD == 1 )); then"
    yield f'        COMPREPLY=($(compgen -W "{" ".join(command.name for command in commands())}" -- "$cur"))'
    yield "    elif [[ $files ]]; then"
    yield "        compopt -o filenames 2> /dev/null"
    yield '        mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    yield "    fi"
    yield "}"
    yield "complete -F _sttproxy sttproxy"


def _bash_values(option: ShownOption) -> str:
    if option.files:
        return 'compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    if option.words:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.words)}" -- "$cur"))'
    return ":"


# zsh


def zsh() -> Iterator[str]:
    """The file for zsh."""
    yield "#compdef sttproxy"
    yield _WRITTEN
    yield ""
    yield "_sttproxy() {"
    yield "    local -a names"
    yield "    names=("
    for command in commands():
        yield f"        {_quoted(command.name + ':' + _brief(command))}"
    yield "    )"
    yield "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then"
    yield "        _describe command names"
    yield "        return"
    yield "    fi"
    yield "    case $words[2] in"
    for command in [*_all()[1:], _all()[0]]:
        yield f"    {command.name or '*'})"
        if command.name:
            yield "        shift words"
            yield "        (( CURRENT-- ))"
        specs = [_zsh_option(option, name) for option in command.options for name in option.names]
        if command.files:
            specs.append(_quoted("*:file:_files"))
        yield "        _arguments -s " + " \\\n            ".join(specs)
        yield "        ;;"
    yield "    esac"
    yield "}"
    yield ""
    yield '_sttproxy "$@"'


def _zsh_option(option: ShownOption, name: str) -> str:
    brief = "".join("\\" + each if each in "[]:\\" else each for each in option.brief)
    action = "_files" if option.files else f"({' '.join(option.words)})" if option.words else " "
    value = f":{option.placeholder}:{action}" if option.placeholder else ""
    equals = "=" if option.placeholder and name.startswith("--") else ""
    return _quoted(f"{'*' if option.repeats else ''}{name}{equals}[{brief}]{value}")


# fish


def fish() -> Iterator[str]:
    """The file for fish."""
    yield _WRITTEN
    yield "complete -c sttproxy -f"
    names = " ".join(command.name for command in commands())
    for command in commands():
        yield f"complete -c sttproxy -n __fish_use_subcommand -a {command.name} -d {_quoted(_brief(command))}"
    for command in _all():
        condition = (
            f"__fish_seen_subcommand_from {command.name}"
            if command.name
            else f"not __fish_seen_subcommand_from {names}"
        )
        begin = f"complete -c sttproxy -n {_quoted(condition)}"
        if command.files:
            yield f"{begin} -F"
        for option in command.options:
            spelled = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = ""
            if option.files:
                value = " -r -F"
            elif option.words:
                value = f" -x -a {_quoted(' '.join(option.words))}"
            elif option.placeholder:
                value = " -x"
            yield f"{begin} {spelled}{value} -d {_quoted(option.brief)}"


def _quoted(text: str) -> str:
    """A word in single quotes, for zsh and fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "'\\''") + "'"
