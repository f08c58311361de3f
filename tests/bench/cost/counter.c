/* Asks callgrind, which runs this process, to count; without callgrind these do nothing. */
#include <valgrind/callgrind.h>

void start_counting(void) { CALLGRIND_START_INSTRUMENTATION; }

/* Writes what was counted since the last call under a name, and counts from 0 again. */
void note(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }

void stop_counting(void) { CALLGRIND_STOP_INSTRUMENTATION; }
