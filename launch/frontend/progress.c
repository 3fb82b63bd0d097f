#include "progress.h"

#include <math.h>
#include <string.h>

#include "log.h"

enum { BAR_CELLS_MAX = 20, COLUMNS = 79 };
static const double SMOOTHING_S = 10; /* older speeds fade from the rate at this pace */

void progress_init(progress *p, FILE *terminal, double interval_s)
{
    *p = (progress){.out = terminal, .interval_s = interval_s, .begun = -1};
}

/* Documents finished in this run, those in flight by their share. */
static double finished(const progress_now *now)
{
    return now->done - now->earlier + now->share;
}

static void write_eta(char *text, size_t size, const progress_now *now, double elapsed)
{
    double done = finished(now), left = now->documents - now->earlier - done;
    if (done <= 0 || elapsed <= 0) {
        snprintf(text, size, "--:--:--");
        return;
    }
    long s = lround(elapsed * (left > 0 ? left : 0) / done);
    snprintf(text, size, "%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* At most COLUMNS wide, the bar taking what the numbers leave: a line that wraps cannot be drawn
 * over. The cursor is left at the margin, so that a line of the log writes over the bar. */
static void draw_bar(progress *p, const progress_now *now, const char *eta)
{
    char   cells[BAR_CELLS_MAX + 1] = "", text[512], failed[32] = "", rate[40] = "";
    double all = now->documents > 0 ? now->documents : 1, part = (now->done + now->share) / all;
    if (now->failed > 0) snprintf(failed, sizeof failed, " %d failed", now->failed);
    if (now->drawn >= 0) snprintf(rate, sizeof rate, "  %.0f tokens/s", p->rate);
    int used = snprintf(text, sizeof text, "%d/%d%s%s  %d drafting %d refining  ETA %s", now->done,
                        now->documents, failed, rate, now->drafting, now->refining, eta);
    int room = COLUMNS - used - (int)strlen("[] ");
    room = room < 1 ? 1 : room > BAR_CELLS_MAX ? BAR_CELLS_MAX : room;
    for (int i = 0; i < room; i++) cells[i] = i + 0.5 < room * part ? '#' : '.';
    fprintf(p->out, "\r[%s] %.*s\033[K\r", cells, COLUMNS - room - (int)strlen("[] "), text);
    fflush(p->out);
    p->visible = true;
}

static void say_line(const progress *p, const progress_now *now, const char *eta)
{
    char rate[40] = "";
    if (now->drawn >= 0) snprintf(rate, sizeof rate, " %.0f tokens/s,", p->rate);
    log_say("progress", "%d of %d documents (%d failed),%s %d drafting, %d refining, ETA %s",
            now->done, now->documents, now->failed, rate, now->drafting, now->refining, eta);
}

static void measure(progress *p, const progress_now *now, double seconds)
{
    double past = seconds - p->shown;
    if (past > 0) {
        double speed = (double)(now->drawn - p->drawn) / past, keep = exp(-past / SMOOTHING_S);
        p->rate = p->rate > 0 ? keep * p->rate + (1 - keep) * speed : speed;
    }
    p->drawn = now->drawn;
    p->shown = seconds;
}

static void draw(progress *p, const progress_now *now, double seconds)
{
    char eta[32];
    measure(p, now, seconds);
    write_eta(eta, sizeof eta, now, seconds - p->begun);
    if (p->out) draw_bar(p, now, eta);
    else say_line(p, now, eta);
}

void progress_show(progress *p, const progress_now *now, double seconds)
{
    if (p->begun < 0) {
        p->begun = p->shown = seconds;
        if (p->out) draw(p, now, seconds);
        return;
    }
    if (seconds - p->shown >= p->interval_s) draw(p, now, seconds);
}

void progress_finish(progress *p, const progress_now *now, double seconds)
{
    if (p->begun < 0) return;
    draw(p, now, seconds);
    if (p->visible) {
        fputc('\n', p->out);
        fflush(p->out);
    }
    p->visible = false;
}
