/* address.h - the addresses by which other hosts may reach this one. */
#ifndef DID_ADDRESS_H
#define DID_ADDRESS_H

enum { ADDRESS_TEXT = 16 };

/* IPv4 addresses of the network interfaces that are up; loopback only where there is nothing else.
 * Returns how many, at most `max`. Local. */
int address_list(char text[][ADDRESS_TEXT], int max);

#endif
