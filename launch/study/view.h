/* view.h - one document for people: every token coloured by how sure the model was of it, what was
 * reopened marked, each refinement against what it found, and what all of it cost.
 *
 * Filled by trace_read; this page draws it on a terminal, view_html in a browser. It knows nothing
 * of files or models. */
#ifndef DID_VIEW_H
#define DID_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "stage.h"
#include "status.h"

/* A token where a stage left it. Texts are UTF-8 and "" where an earlier token shows the character
 * they share. */
typedef struct view_token {
    char *text;
    char *before;      /* what the stage found here; NULL in a draft, and where it is the same */
    float confidence;  /* when it was placed; INFINITY: given; NAN: not recorded */
    int   stage, step; /* that placed it; -1: given or not recorded */
    bool  reopened;    /* by this stage */
    bool  reopens;     /* by the next one */
} view_token;

typedef struct view_stage {
    char       *title; /* "draft in blocks of 4, fhs, p 0.9" */
    char       *costs; /* "NFE 255, commits 63" */
    view_token *token; /* [n] */
    int         n;     /* 0: no trace of it was kept */
} view_stage;

typedef struct view {
    char      *name;   /* of the document */
    char      *ending; /* how it ended, and what a scorer said of it */
    char      *text;   /* what was delivered; NULL where the record has none */
    view_stage stage[STAGES_MAX];
    int        n_stages;
    bool       traced;
} view;

/* Levels of confidence: below 0.1, 0.25, 0.5, 0.75, and above. */
enum { VIEW_LEVELS = 5, VIEW_LEVEL_NONE = -1 };
extern const double view_level_end[VIEW_LEVELS];

int view_level(float probability); /* VIEW_LEVEL_NONE: given or not recorded. Local. */

/* A new text that replaced an old one: tokens [first, end) of `s` that follow each other and were
 * changed; false when token `first` was not. Local. */
bool view_edit(const view_stage *s, int first, int *end);

/* Draw on a terminal `width` columns wide; without `colour` what was reopened stands in [brackets]
 * and an edit is [-old-]{+new+}. Local. */
void view_draw(FILE *to, const view *v, int width, bool colour);

void view_clear(view *v); /* Frees what it owns; leaves it zeroed. Local. */

#endif
