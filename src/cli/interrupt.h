/* Ctrl-C and SIGTERM: the program says so and ends as if the signal had killed it, so a shell sees 130 or 143 and its
 * loops stop too. Nothing is cleaned up here: every change is safe at any point, and the next command settles it. */
#pragma once

void interrupt_init(void); /* signals that the parent ignores stay ignored */
