/* disk.h - the disk under the state file, as one that can fail where fault.h is told to.
 *
 * Source: SQLite's virtual file systems (sqlite.org/vfs.html). Every write, sync and truncation
 * that SQLite asks for passes a fault_point; all else goes straight to the system's file
 * system. It knows no shared memory: state files are opened with exclusive locking, which needs
 * none.
 *
 * There DID_DISK=shared makes every disk one that several hosts see, as network file systems
 * are. */
#ifndef DID_DISK_H
#define DID_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* The file system's name for sqlite3_open_v2; NULL, which is the system's own, in builds without
 * faults. Local; before other threads use SQLite. */
#ifdef DID_FAULTS
const char *disk_name(void);
#else
static inline const char *disk_name(void)
{
    return NULL;
}
#endif

/* Is the file at `path` where other hosts may see it? Write-ahead logs rely on the memory of one.
 * Local. */
bool disk_shared(const char *path);

#endif
