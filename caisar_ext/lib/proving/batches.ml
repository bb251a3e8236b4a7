type attempt = First | Second
type pending = { batch : Protocol.verify; attempt : attempt }
type t = pending list

let of_list batches =
  let pending (batch : Protocol.verify) = if batch.queries = [] then None else Some { batch; attempt = First } in
  List.filter_map pending batches

let again (batch : Protocol.verify) queries waiting =
  let alone query = { batch = { batch with queries = [ query ] }; attempt = Second } in
  waiting @ List.map alone queries

let next ~loaded ~elsewhere waiting =
  let of_network wanted pending = wanted pending.batch.network in
  let preferences =
    [
      of_network (fun network -> loaded = Some network);
      of_network (fun network -> not (List.mem network elsewhere));
      (fun _ -> true);
    ]
  in
  let take chosen = (chosen, List.filter (( != ) chosen) waiting) in
  Option.map take (List.find_map (fun preference -> List.find_opt preference waiting) preferences)
