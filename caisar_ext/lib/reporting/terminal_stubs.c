/* The width of a terminal, for Report_terminal. */

#include <caml/alloc.h>
#include <caml/mlvalues.h>
#include <sys/ioctl.h>

/* Columns of the terminal behind a file descriptor, an int option; none when it is no terminal. */
value caisar_ext_terminal_columns(value descriptor)
{
  struct winsize size;
  if (ioctl(Int_val(descriptor), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return Val_none;
  return caml_alloc_some(Val_int(size.ws_col));
}
