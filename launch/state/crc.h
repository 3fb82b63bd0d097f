/* crc.h - CRC-32C, the sum that tells a damaged record from a sound one.
 *
 * Source: Castagnoli, Braeuer, Herrmann 1993; polynomial 0x1EDC6F41, reflected, as in iSCSI (RFC
 * 3720, appendix B.4). */
#ifndef DID_CRC_H
#define DID_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The sum of bytes[size]; chain by giving the sum of what came before (0 at the start). Local. */
uint32_t crc_32c(uint32_t before, const void *bytes, size_t size);

/* The same of what a row holds, value by value, on every machine alike. A text counts with its NUL,
 * so that what moves from one text to the next shows; NULL counts as empty. Local. */
uint32_t crc_number(uint32_t before, int64_t x);
uint32_t crc_text(uint32_t before, const char *text);

#endif
