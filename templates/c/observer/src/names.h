// The logic that needs no host, and is tested without one.
#ifndef NAMES_H
#define NAMES_H

// A status in words; its numbers are those of the contract.
const char *status_name(unsigned status);

#endif
