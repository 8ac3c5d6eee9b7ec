#pragma once

#include <sqlite3.h>

/// SQLITE_TRANSIENT, a cast that Swift cannot import: SQLite copies the bytes at once.
static inline sqlite3_destructor_type _Nonnull csqlite_transient(void) { return SQLITE_TRANSIENT; }

/// sqlite3_db_config, which is variadic, for the options that take an int: `on` 0 or 1.
static inline int csqlite_configure(sqlite3 *_Nonnull db, int option, int on) {
    return sqlite3_db_config(db, option, on, (int *)0);
}

/// SQLITE_IOERR_SHMSIZE, an expression that Swift does not import: there is no room for the file of the locks.
static inline int csqlite_no_room_for_locks(void) { return SQLITE_IOERR_SHMSIZE; }
