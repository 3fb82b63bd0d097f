/* clients.h - what the desk answers to those who submit, ask and fetch. Each question may carry an
 * "ask", which its answer repeats; all may be asked again without harm. */
#ifndef DID_CLIENTS_H
#define DID_CLIENTS_H

#include "office.h"

bool clients_word(message_type type); /* Is this a client's word? Local. */

/* Fails DID_EFORMAT or DID_EINVAL for what the client got wrong. */
status clients_obey(office *o, const desk_guest *from, const message *m);

#endif
