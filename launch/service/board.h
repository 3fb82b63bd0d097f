/* board.h - how a service stands (the answer `state` of PROTOCOL.md), in forms that are read. */
#ifndef DID_BOARD_H
#define DID_BOARD_H

#include <jansson.h>
#include <stdio.h>

void board_table(FILE *to, const json_t *state);      /* for people. Local. */
void board_prometheus(FILE *to, const json_t *state); /* text format 0.0.4. Local. */

#endif
