/* board.h - how a service stands (the answer `state` of PROTOCOL.md), in forms that are read. */
#ifndef DID_BOARD_H
#define DID_BOARD_H

#include <jansson.h>
#include <stdio.h>

/* For people, 80 columns wide, and no longer than about `lines`; 0: all there is. Local. */
void board_table(FILE *to, const json_t *state, int lines);

void board_prometheus(FILE *to, const json_t *state); /* text format 0.0.4. Local. */

#endif
