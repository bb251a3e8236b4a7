/* What OCaml's Unix lacks: the signal that a child gets when its parent dies. */

#include <caml/mlvalues.h>

#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

/* The calling process is killed when its parent dies, however the parent dies. Elsewhere than on Linux nothing is
   done: a prover then ends when its standard input does. */
value caisar_ext_die_with_parent(value unit)
{
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  return unit;
}
