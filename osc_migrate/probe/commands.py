# SPDX-License-Identifier: Apache-2.0
"""What a host is asked: a fixed list of commands that only read.

They go to the host as one shell script, so a probe costs one login. Nothing
in the script comes from the cloud: which guests there are the host is asked
itself, and what is no UUID is passed over. A line with a mark that nobody
could guess stands around what each command writes.
"""

from collections.abc import Iterator
import re
import shlex

URI = 'qemu:///system'
# seconds; whatever hangs must not keep the rest from answering
COMMAND_TIMEOUT = 15
# asked once a host
HOST = (
    'lscpu',
    'numactl --hardware',
    'virsh version',
    'virsh nodeinfo',
    'virsh capabilities',
    'virsh freepages --all',
)
# asked for each guest, whose UUID stands at the end
GUEST = (
    'virsh vcpuinfo',
    'virsh numatune',
    'virsh dumpxml',
    'virsh dumpxml --inactive',
)
LIST = 'virsh list --all --uuid'

UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_HEX = '[0-9a-f]'
# the same as a pattern of the shell
_PATTERN = '-'.join(_HEX * length for length in (8, 4, 4, 4, 12))

_SCRIPT = """\
probe() {{
    LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; export LC_ALL PATH
    run() {{
        name=$1; shift
        printf '\\n%s begin %s\\n' {mark} "$name"
        timeout {limit} "$@" </dev/null 2>&1
        printf '\\n%s end %s\\n' {mark} "$?"
    }}
{host}
    run {list_name} {list}
    for id in $(timeout {limit} {list} </dev/null 2>/dev/null); do
        case $id in {pattern}) ;; *) continue ;; esac
{guest}
    done
    printf '\\n%s done\\n' {mark}
}}
probe
"""


def script(mark: str, uri: str = URI) -> str:
    """Write the script; ``mark`` is any word that no command writes."""
    return _SCRIPT.format(
        mark=shlex.quote(mark),
        limit=COMMAND_TIMEOUT,
        pattern=_PATTERN,
        list_name=shlex.quote(LIST),
        list=_words(LIST, uri),
        host='\n'.join(
            f'    run {shlex.quote(name)} {_words(name, uri)}' for name in HOST
        ),
        guest='\n'.join(
            f'        run {shlex.quote(name + " ")}"$id" '
            f'{_words(name, uri)} "$id"'
            for name in GUEST
        ),
    )


def answers(text: str, mark: str) -> dict[str, tuple[int, str]]:
    """Take apart what the script wrote: exit code and text by command.

    A command that was cut off in the middle is not there.
    """
    return dict(_answers(text, mark))


def is_whole(text: str, mark: str) -> bool:
    """Whether the script came to its end."""
    return f'\n{mark} done' in text


def _answers(text: str, mark: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for part in text.split(f'\n{mark} begin ')[1:]:
        name, _, rest = part.partition('\n')
        body, found, ending = rest.rpartition(f'\n{mark} end ')
        code = ending.partition('\n')[0].strip()
        if found and code.isdecimal() and code.isascii():
            yield name.strip(), (int(code), body)


def _words(name: str, uri: str) -> str:
    """Write a command for the shell; virsh reads only, from this URI."""
    program, *arguments = name.split()
    if program == 'virsh':
        arguments = ['-r', '-c', shlex.quote(uri), *arguments]
    return ' '.join([program, *arguments])
