/** A descriptor as people and programs write them. */
export interface OvfParts {
  readonly type?: string;
  readonly vcpus?: string;
  readonly memory?: string;
  readonly unit?: string;
  readonly file?: string;
  readonly format?: string;
  readonly capacity?: string;
  readonly bridge?: string;
  /** before the envelope */
  readonly head?: string;
  /** further items */
  readonly items?: string;
  /** further disks */
  readonly disks?: string;
}

/** In the form in which OpenNode's management server wrote them: the prefixes, the words for units, the bounds. */
export const ovf = ({
  type = 'kvm-x86_64', vcpus = '1', memory = '64', unit = 'MegaBytes', file = 'tiny1.img', format = 'qcow2', capacity = '1048576', bridge, head = '', items = '', disks = '',
}: OvfParts = {}): string => `<?xml version="1.0" encoding="UTF-8"?>${head}
<ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:opennodens="http://opennode.activesys.org/schema/ovf/opennodens/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <ovf:References><ovf:File ovf:id="diskfile1" ovf:href="${file}" ovf:size="512"/></ovf:References>
  <ovf:DiskSection><ovf:Info>disks</ovf:Info>
    <ovf:Disk ovf:capacity="${capacity}" ovf:diskId="vmdisk1.img" ovf:fileRef="diskfile1" ovf:format="${format}"/>${disks}
  </ovf:DiskSection>
  <!-- a machine -->
  <ovf:VirtualSystem ovf:id="tiny"><ovf:Info>a template</ovf:Info>
    <ovf:VirtualHardwareSection><ovf:Info>hardware</ovf:Info>
      <ovf:System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>${type}</vssd:VirtualSystemType></ovf:System>
      <ovf:Item ovf:bound="normal"><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>${vcpus}</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item ovf:bound="min"><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item ovf:bound="normal"><rasd:AllocationUnits>${unit}</rasd:AllocationUnits><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>${memory}</rasd:VirtualQuantity></ovf:Item>
      ${bridge === undefined ? '' : `<ovf:Item><rasd:Connection>${bridge}</rasd:Connection><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType></ovf:Item>`}${items}
    </ovf:VirtualHardwareSection>
    <opennodens:OpenNodeSection ovf:required="false"><Info>more</Info><Features><acpi/><apic/></Features></opennodens:OpenNodeSection>
  </ovf:VirtualSystem>
</ovf:Envelope>
`;
