/* The floor: starts COUNT times the given program, at most PARALLEL at once, and prints the milliseconds it took.
   spawn-loop COUNT PARALLEL PROGRAM   Nothing is recorded, nothing is logged. Part of the benchmark only. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int count_of_words, char **words) {
  if (count_of_words != 4) return 2;
  int left = atoi(words[1]), parallel = atoi(words[2]), running = 0;
  char *program[] = {words[3], NULL};
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  while (left > 0 || running > 0) {
    while (left > 0 && running < parallel) {
      pid_t pid;
      if (posix_spawn(&pid, program[0], NULL, NULL, program, environ) != 0) return 1;
      left -= 1;
      running += 1;
    }
    if (wait(NULL) < 0) return 1;
    running -= 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.3f\n", (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6);
  return 0;
}
