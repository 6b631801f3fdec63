# SPDX-License-Identifier: Apache-2.0
"""Make oslo.db usable on sqlite files by many threads and processes.

Call :func:`tune` before any engine is made. As it comes, oslo.db begins
every transaction deferred, so that one which reads and then writes fails at
once with "database is locked" when somebody else wrote in between, and it
opens a new connection for each transaction.
"""

import sqlite3
from typing import Any

from oslo_db.sqlalchemy import enginefacade
from oslo_db.sqlalchemy import engines
import sqlalchemy
from sqlalchemy import event
from sqlalchemy import pool

WRITER = 'lab_writer'


def tune() -> None:
    """Change oslo.db and SQLAlchemy in this process."""
    event.listen(sqlalchemy.Engine, 'connect', _prepare_connection)
    event.listen(
        sqlalchemy.Engine, 'before_cursor_execute', _begin, retval=True
    )
    _mark_writers()
    _pool_connections()


def _prepare_connection(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute('PRAGMA busy_timeout = 60000')
        # Readers do not stop a writer, nor a writer the readers.
        connection.execute('PRAGMA journal_mode = WAL')
        # The data is for one boot.
        connection.execute('PRAGMA synchronous = OFF')
        connection.execute('PRAGMA temp_store = MEMORY')


def _begin(
    connection: Any,
    _cursor: Any,
    statement: str,
    parameters: Any,
    _context: Any,
    _many: bool,
) -> tuple[str, Any]:
    options = connection.get_execution_options()
    if statement == 'BEGIN' and options.get(WRITER):
        statement = 'BEGIN IMMEDIATE'
    return statement, parameters


def _mark_writers() -> None:
    """Let the transactions that will write be known by an option."""
    factory = enginefacade._TransactionFactory
    create_session = factory._create_session
    create_connection = factory._create_connection

    def session(self: Any, mode: Any, bind: Any = None) -> Any:
        created = create_session(self, mode, bind=bind)
        if bind is None and mode is enginefacade._WRITER and created.bind:
            created.bind = created.bind.execution_options(**{WRITER: True})
        return created

    def connection(self: Any, mode: Any) -> Any:
        created = create_connection(self, mode)
        if mode is enginefacade._WRITER:
            created = created.execution_options(**{WRITER: True})
        return created

    factory._create_session = session
    factory._create_connection = connection


def _pool_connections() -> None:
    create_engine = sqlalchemy.create_engine

    def create(url: Any, **options: Any) -> Any:
        if sqlalchemy.make_url(url).get_backend_name() == 'sqlite':
            options['poolclass'] = pool.QueuePool
            options.setdefault('connect_args', {})['check_same_thread'] = False
            options.update(pool_size=10, max_overflow=200)
        return create_engine(url, **options)

    # oslo.db calls it through its own name for the module.
    engines.sqlalchemy.create_engine = create
