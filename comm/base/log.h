/* log.h - the run told on stderr, one line per event: "12.345 r03 draft: 256 blocks".
 *
 * Rank 0 speaks; the others speak for warnings. Results never pass here: stdout is theirs. */
#ifndef DID_LOG_H
#define DID_LOG_H

/* Who is speaking. Before this call the process speaks as rank 0 of 1. `quiet` silences log_say
 * (log_warn is never silenced). Local. */
void log_identity(int rank, int size, int quiet);

/* From now on each line is a JSON object: {"time": "2026-01-31T12:00:00.123Z", "s": seconds of this
 * run, "rank", "level": "info" | "warning", "room", "text"}. Local. */
void log_as_json(void);

/* A line from rank 0; silent elsewhere. `room` is the noun it is about. Local; thread-safe. */
void log_say(const char *room, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line from any rank, marked as a warning. Local; thread-safe. */
void log_warn(const char *room, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
