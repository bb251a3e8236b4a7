let () = exit (Caisar_ext.Cli.main ())
