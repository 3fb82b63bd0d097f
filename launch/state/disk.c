#include "disk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#ifdef DID_FAULTS
static bool pretended(void)
{
    const char *kind = getenv("DID_DISK");
    return kind && strcmp(kind, "shared") == 0;
}
#else
static bool pretended(void)
{
    return false;
}
#endif

bool disk_shared(const char *path)
{
    static const unsigned long magic[] = {
        0x6969 /* NFS */,      0xff534d42 /* CIFS */,   0xfe534d42 /* SMB2 */,
        0x5346414f /* AFS */,  0x0bd00bd0 /* Lustre */, 0x19830326 /* BeeGFS */,
        0x47504653 /* GPFS */, 0x00c36400 /* Ceph */,   0x65735546 /* FUSE */,
        0x01021997 /* 9P */,   0x7461636f /* OCFS2 */,  0x01161970 /* GFS2 */,
    };
    struct statfs fs;
    if (pretended()) return true;
    if (statfs(path, &fs) != 0) return false;
    for (size_t i = 0; i < sizeof magic / sizeof magic[0]; i++)
        if (((unsigned long)fs.f_type & 0xffffffffu) == magic[i]) return true;
    return false;
}

#ifdef DID_FAULTS

#include <sqlite3.h>

#include "fault.h"

/* A file as SQLite sees it; the system's lies right behind it. */
typedef struct disk_file {
    sqlite3_file base;
} disk_file;

static sqlite3_file *below(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((disk_file *)(void *)f + 1);
}

static int close_file(sqlite3_file *f)
{
    return below(f)->pMethods->xClose(below(f));
}

static int read_file(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return below(f)->pMethods->xRead(below(f), to, n, at);
}

static int write_file(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (fault_point(FAULT_WRITE)) return SQLITE_FULL;
    return below(f)->pMethods->xWrite(below(f), from, n, at);
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault_point(FAULT_TRUNCATE)) return SQLITE_IOERR_TRUNCATE;
    return below(f)->pMethods->xTruncate(below(f), size);
}

static int sync_file(sqlite3_file *f, int flags)
{
    if (fault_point(FAULT_FSYNC)) return SQLITE_IOERR_FSYNC;
    return below(f)->pMethods->xSync(below(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return below(f)->pMethods->xFileSize(below(f), size);
}

static int lock_file(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xLock(below(f), level);
}

static int unlock_file(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xUnlock(below(f), level);
}

static int check_lock(sqlite3_file *f, int *reserved)
{
    return below(f)->pMethods->xCheckReservedLock(below(f), reserved);
}

static int control(sqlite3_file *f, int word, void *argument)
{
    return below(f)->pMethods->xFileControl(below(f), word, argument);
}

static int sector_size(sqlite3_file *f)
{
    return below(f)->pMethods->xSectorSize(below(f));
}

static int characteristics(sqlite3_file *f)
{
    return below(f)->pMethods->xDeviceCharacteristics(below(f));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* the first: no shared memory, no mapping */
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
};

static sqlite3_vfs *system_disk;

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *got)
{
    (void)vfs;
    int code = system_disk->xOpen(system_disk, path, below(f), flags, got);
    f->pMethods = below(f)->pMethods ? &methods : NULL;
    return code;
}

const char *disk_name(void)
{
    static sqlite3_vfs disk;
    if (!system_disk) {
        system_disk = sqlite3_vfs_find(NULL);
        disk = *system_disk;
        disk.zName = "did-faults";
        disk.szOsFile = (int)sizeof(disk_file) + system_disk->szOsFile;
        disk.xOpen = open_file;
        disk.pNext = NULL;
        sqlite3_vfs_register(&disk, 0);
    }
    return disk.zName;
}

#endif
