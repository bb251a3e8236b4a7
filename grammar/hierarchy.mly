(* The class hierarchy, as a grammar. Twin of hierarchy.lark; the meaning is in hierarchy.md. *)

%{
open Hierarchy_syntax
%}

%token HIERARCHY GROUP CLASS OVERLAY CUT NEVER
%token <string> NAME
%token <int> INDEX
%token EQUAL LEFT RIGHT COMMA ARROW EOF

%start <Hierarchy_syntax.t> file

%%

file:
  | HIERARCHY name = name LEFT declarations = list(declaration) RIGHT EOF
    { { name; declarations } }

declaration:
  | member = member { Member member }
  | OVERLAY name = name EQUAL members = names { Overlay (name, members) }
  | CUT name = name EQUAL blocks = names { Cut (name, blocks) }
  | NEVER reference = name ARROW answer = name { Never (reference, answer) }

member:
  | CLASS name = name EQUAL value = INDEX { Class (name, { value; place = $loc(value) }) }
  | GROUP name = name LEFT members = list(member) RIGHT { Group (name, members) }

names:
  | LEFT names = separated_list(COMMA, name) RIGHT { names }

name:
  | text = NAME { { text; place = $loc } }
