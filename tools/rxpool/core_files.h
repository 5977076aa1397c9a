/* The files that a process had in its memory, by its core file. */
#ifndef RXPOOL_TOOLS_CORE_FILES_H
#define RXPOOL_TOOLS_CORE_FILES_H

/* Tells each one's path; none where the file at `path` is no core file, or does not say. */
void core_files(const char *path, void (*tell)(void *context, const char *file), void *context);

#endif
