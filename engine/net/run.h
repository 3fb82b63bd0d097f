/* run.h - a pass on its way through the layers: what the functions of one evaluation share.
 *
 * forward begins and ends it, stream and layer carry it on. */
#ifndef DID_RUN_H
#define DID_RUN_H

#include <stdbool.h>

#include "forward.h"

/* The activations of a pass of T rows; read twice, to measure and to carve. Products write whole
 * panels, so every array that enters or leaves one has room for PANEL_MAX rows more. In bf16, h and
 * up hold operands, and have the room that rows of those need in any set. */
#define ACTIVATIONS(X)                                                  \
    X(x,      float,  T + PANEL_MAX, d_model)   /* residual stream  */ \
    X(h,      float,  T + PANEL_MAX, operand_floats(d_model)) /* a product's input */ \
    X(qkv,    float,  T + PANEL_MAX, 3 * mine)  /* my heads         */ \
    X(heads,  float,  T + PANEL_MAX, mine)      /* attention output */ \
    X(part,   float,  T + PANEL_MAX, d_model)   /* sum to reduce    */ \
    X(up,     float,  T + PANEL_MAX, operand_floats(columns)) /* my MLP columns */ \
    X(cosine, float,  T, half)                  /* rotary angles    */ \
    X(sine,   float,  T, half)                                         \
    X(logits, float,  HEAD_ROWS, words)         /* my vocabulary    */

/* Rows that are worked through together where they should still be near for what comes next; and
 * that no two threads share. */
enum { RUN_FEW = 8 };

typedef struct activations {
#define X(name, type, rows, cols) type *name;
    ACTIVATIONS(X)
#undef X
} activations;

typedef struct run {
    const pass          *p;
    const forward_place *at;
    const model         *m;
    const kernels       *k;
    activations          a;
    int                  rows;  /* in x: all rows, and after the last layer's keys the asked ones */
    double               since, wired;  /* when lap was called; seconds in linear layers' events */
} run;

/* Bytes of the activations of a pass of `rows` rows. Local. */
size_t run_bytes(const model *m, int rows);

/* Carve them out of the place's workspace; the caller marks and releases it. Local. */
void run_open(run *r, const pass *p, const forward_place *place);

/* Charge the time since the last call to `s`. Local. */
void run_lap(run *r, section s);

/* Charge it to the product and to the wire behind it. Local. */
void run_lap_linear(run *r);

/* Are the inputs of products operands in bf16? Local. */
bool run_narrow(const run *r);

/* h becomes the input of the products that follow: x normed. Local. */
void run_norm(run *r, const affine *a);

/* out = my heads, columns or words of h. Collective over a mesh, else Local. */
status run_spread(run *r, float *out, const weight *w, epilogue e);

#endif
