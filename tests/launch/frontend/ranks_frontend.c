/* The whole road at any number of ranks: the door opened and shared, a front-end on rank 0, a porter
 * on every rank; each document once, and nothing left in the temporary directory. */
#include "../../comm/check.h"
#include "crew.h"
#include "frontend.h"

enum { N = 40, LENGTH = 12 };

static comm        *world;
static int          rank;
static request      requests[N];
static record_rules rules;
static char         output[] = "/tmp/did-ranks-XXXXXX";

static int count_lines(void)
{
    int   n = 0, c;
    FILE *file = fopen(output, "r");
    while ((c = fgetc(file)) != EOF) n += c == '\n';
    fclose(file);
    return n;
}

static frontend *open_front(door *d)
{
    frontend *front = NULL;
    if (rank > 0) return NULL;
    for (int i = 0; i < N; i++) {
        char id[16];
        snprintf(id, sizeof id, "doc-%d", i);
        requests[i] = sample_request(id, 0, LENGTH, i % 5);
    }
    int fd = mkstemp(output);
    CHECK(fd >= 0);
    close(fd);
    frontend_settings settings = {
        .job = {.requests = requests, .n_requests = N, .rules = &rules, .output = output},
        .door = d};
    CHECK(frontend_open(&front, &settings) == DID_OK);
    return front;
}

static void run_job(void)
{
    door          d;
    frontend_view last;
    CHECK(door_open(&d, world) == DID_OK);
    CHECK(rank > 0 || access(d.directory, F_OK) == 0);
    frontend *front = open_front(&d);
    CHECK(door_share(&d, world, DID_OK) == DID_OK);
    CHECK(d.sign.n == 1 && strncmp(d.sign.address[0], "ipc://", 6) == 0);

    crew mine = {.settings = {.door = &d, .row = rank, .rules = &rules}, .room = 3};
    crew_work(&mine);
    CHECK(mine.outcome == DID_OK);
    CHECK(comm_barrier(world, EV_SETUP) == DID_OK);
    CHECK(frontend_close(&front, &last) == DID_OK);
    if (rank == 0) CHECK(last.now.done == N && last.refused == 0 && count_lines() == N);
    char directory[sizeof d.directory];
    memcpy(directory, d.directory, sizeof directory);
    door_close(&d);
    CHECK(rank > 0 || access(directory, F_OK) != 0);
    if (rank == 0) unlink(output);
    for (int i = 0; i < N && rank == 0; i++) request_clear(&requests[i]);
}

/* The front-end could not be opened: all ranks learn it, nobody waits. */
static void refuse_together(void)
{
    door d;
    CHECK(door_open(&d, world) == DID_OK);
    status s = rank == 0 ? status_fail(DID_EIO, "the disk is gone") : DID_OK;
    CHECK(door_share(&d, world, s) == DID_EIO);
    CHECK(strstr(status_message(), "the disk is gone"));
    door_close(&d);
}

int main(void)
{
    CHECK(comm_start(&world) == DID_OK);
    rank = comm_rank(world);
    rules = (record_rules){.parcels = sample_rules(true), .signature = "did/1 test"};
    refuse_together();
    run_job();
    comm_stop(&world);
    return 0;
}
