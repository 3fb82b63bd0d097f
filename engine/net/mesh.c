#include "mesh.h"

status mesh_open(mesh *m, comm *ranks, int rows, int cols)
{
    *m = (mesh){.rows = rows, .cols = cols, .rank = comm_rank(ranks), .ranks = ranks};
    status s = blacs_open(&m->plane, ranks, cols, rows);
    if (s == DID_OK) s = blacs_open(&m->column, ranks, comm_size(ranks), 1);
    if (s == DID_OK) s = blacs_open(&m->line, ranks, 1, comm_size(ranks));
    if (s != DID_OK) mesh_close(m);
    return s;
}

void mesh_close(mesh *m)
{
    blacs_close(&m->line);
    blacs_close(&m->column);
    blacs_close(&m->plane);
    *m = (mesh){0};
}
