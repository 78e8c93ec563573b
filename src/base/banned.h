/* Calls that invite mistakes become compile errors. Force-included by the build before every file, so it
 * includes the headers that declare them first. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison gmtime localtime ctime asctime atoi atol atof mktemp tmpnam
