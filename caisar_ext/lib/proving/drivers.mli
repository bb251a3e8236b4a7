(** Provers as data: a text file adds one.

    A driver is one s-expression, all fields present:
    {v
    ((name pyprover)
     (command ("%{python}" -m pyprover serve))      the words of the command; for %{python} see [command]
     (python_modules (pyprover torch onnxruntime))  what that interpreter must be able to import
     (properties (Within Avoid))                    the kinds of property that it answers
     (domains (interval linear)))                   the abstract domains that it knows by name;
                                                    a product of several is written with +
    v}
    The command must speak [grammar/protocol.md] on its standard input and output. *)

type property_kind = Within | Avoid

type t = {
  name : string;
  command : string list;
  python_modules : string list;
  properties : property_kind list;
  domains : string list;
}

(** [find name] is the shipped driver of that name, or the driver in the file [name] when [name] ends in [.driver].
    Raises {!Diag.Error}: unknown name, unreadable or malformed file (located). *)
val find : string -> t

(** Names of the shipped drivers. *)
val shipped : unit -> string list

(** ["pyprover"]. *)
val default : string

(** [command ?override driver] is what to execute, as words. [override] is a shell command that replaces the driver's.
    Otherwise [%{python}] is [$CAISAR_EXT_PYTHON] when set; else the first of [$VIRTUAL_ENV/bin/python3], a
    [.venv/bin/python3] in a folder above this program's real path, and [python3] on the path, that finds the modules
    the driver needs. Raises {!Diag.Error} when there is none. *)
val command : ?override:string -> t -> string array

(** [check driver batch] raises {!Diag.Error} when the batch asks for a property or a domain that the driver does not
    declare. *)
val check : t -> Protocol.verify -> unit
