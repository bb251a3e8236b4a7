let folder =
  lazy
    (let root =
       try Filename.temp_file "caisar-ext" ".theories"
       with Sys_error text -> Diag.error ~hint:"set TMPDIR" "no temporary folder: %s" text
     in
     Sys.remove root;
     let written = ref [] in
     let make_folder path =
       if not (Sys.file_exists path) then begin
         Unix.mkdir path 0o700;
         written := path :: !written
       end
     in
     let theory (path, text) =
       let path = Filename.concat root path in
       make_folder (Filename.dirname path);
       let oc = open_out_bin path in
       output_string oc text;
       close_out oc;
       written := path :: !written
     in
     let remove path =
       try if Sys.is_directory path then Unix.rmdir path else Sys.remove path
       with Sys_error _ | Unix.Unix_error _ -> ()
     in
     at_exit (fun () -> List.iter remove !written);
     make_folder root;
     List.iter theory Theories.files;
     root)
